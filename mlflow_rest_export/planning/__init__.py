"""From a record to what a store can take: names, lengths, odd values, description, digest; pure."""
