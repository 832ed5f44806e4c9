"""A document of each JSON format with every field that its evaluator may write, each with a value of its own.

Made by hand after the evaluators' own schemas; the genuine samples hold only what one run happened to write.
"""

from __future__ import annotations

from typing import Any

LM_EVAL: dict[str, Any] = {
    "results": {
        "arc": {
            "name": "arc-name",
            "alias": " - arc",
            "sample_len": 101,
            "sample_count": {"acc,none": 102},
            "acc,none": 0.71,
            "acc_stderr,none": "N/A",
            "exact_match,flexible": 0.73,
        },
        "law": {"alias": "law", "sample_len": 103, "acc,none": 0.74},
        "all_of_it": {" ": " ", "alias": "all_of_it", "acc,none": 0.75},
    },
    "groups": {"all_of_it": {" ": " ", "alias": "all_of_it", "acc,none": 0.75}},
    "group_subtasks": {"all_of_it": ["arc", "law"]},
    "configs": {
        "arc": {
            "task": "arc",
            "dataset_path": "org/arc",
            "dataset_name": "easy",
            "dataset_kwargs": {"trust_remote_code": True},
            "test_split": "test",
            "output_type": "generate_until",
            "generation_kwargs": {"temperature": 0.7, "until": ["\n"]},
            "num_fewshot": 5,
            "metric_list": [{"metric": "acc"}],
            "metadata": {"version": 1.5},
        }
    },
    "versions": {"arc": 1.25, "law": "2.a", "all_of_it": None},
    "n-shot": {"arc": 5, "law": 7},
    "higher_is_better": {"arc": {"acc": True, "exact_match": None}},
    "n-samples": {"arc": {"original": 5000, "effective": 100}},
    "config": {
        "model": "hf",
        "model_args": {"pretrained": "org/m", "dtype": "bfloat16"},
        "model_num_parameters": 1234567,
        "model_dtype": "torch.bfloat16",
        "model_revision": "main",
        "model_sha": "a1b2",
        "batch_size": "auto",
        "batch_sizes": [64],
        "device": "N/A",
        "use_cache": None,
        "limit": 100.0,
        "bootstrap_iters": 100000,
        "gen_kwargs": {"top_p": 0.95},
        "random_seed": 0,
        "numpy_seed": 1235,
        "torch_seed": 1236,
        "fewshot_seed": 1237,
    },
    "git_hash": "8bb0bdc",
    "upper_git_hash": "9cc1cec",
    "date": 1768967058.458309,
    "pretty_env_info": "PyTorch version: 2.9",
    "lm_eval_version": "0.4.9.2",
    "transformers_version": "4.57.1",
    "tokenizer_pad_token": ["<pad>", "0"],
    "eot_token_id": 106,
    "max_length": 8192,
    "task_hashes": {"arc": "0a1b2c3d"},
    "model_source": "hf",
    "model_name": "org/m",
    "model_name_sanitized": "org__m",
    "system_instruction": "Be brief.",
    "system_instruction_sha": "d1e2",
    "fewshot_as_multiturn": True,
    "chat_template": "{{ messages }}",
    "chat_template_sha": "f3a4",
    "start_time": 2463812.1,
    "end_time": 2463912.3,
    "total_evaluation_time_seconds": "100.25",
    "samples": {"arc": [{"doc_id": 0}]},
}

INSPECT: dict[str, Any] = {
    "version": 2,
    "status": "success",
    "eval": {
        "eval_set_id": "set-1",
        "eval_id": "eval-1",
        "run_id": "run-1",
        "created": "2026-01-01T00:00:00+00:00",
        "task": "arith",
        "task_id": "task-1",
        "task_version": 3,
        "task_file": "arith.py",
        "task_display_name": "Arithmetic",
        "task_registry_name": "pkg/arith",
        "task_attribs": {"kind": "sums"},
        "task_args": {"digits": 4},
        "task_args_passed": {"digits": 41},
        "solver": "generate",
        "solver_args": {"cache": True},
        "solver_args_passed": {"cache": "passed"},
        "tags": ["one", "two"],
        "dataset": {
            "name": "sums",
            "location": "sums.csv",
            "samples": 8,
            "sample_ids": [11, 12],
            "shuffled": True,
        },
        "sandbox": {"type": "docker", "config": "compose.yaml"},
        "model": "openai/gpt",
        "model_generate_config": {"top_p": 0.5, "extra_body": {"k": 9}},
        "model_base_url": "http://host/v1",
        "model_args": {"device": "cuda:0"},
        "model_roles": {"grader": {"model": "openai/grader", "config": {"seed": 77}}},
        "config": {"limit": 10, "epochs": 2, "epochs_reducer": ["mean"]},
        "revision": {"type": "git", "origin": "https://host/repo", "commit": "abc123", "dirty": True},
        "packages": {"inspect_ai": "0.3.285"},
        "metadata": {"team": "red", "nested": {"deep": "blue"}},
        "scorers": [{"name": "match", "options": {"location": "end"}}],
        "metrics": [{"name": "accuracy"}],
        "viewer": {"scan_result_view": "plain"},
    },
    "plan": {
        "name": "my-plan",
        "steps": [{"solver": "generate", "params": {"x": "step"}}],
        "finish": {"solver": "done", "params": {}},
        "config": {"max_tokens": 99},
    },
    "results": {
        "total_samples": 16,
        "completed_samples": 15,
        "scores": [
            {
                "name": "match",
                "scorer": "match-scorer",
                "reducer": "mean",
                "scored_samples": 14,
                "unscored_samples": 1,
                "params": {"strict": "param-of-scorer"},
                "metrics": {
                    "accuracy": {"name": "accuracy-name", "value": 0.75, "params": {"p": "of-metric"}}
                },
                "metadata": {"m": "of-score"},
            }
        ],
        "headline": {"scorer": "match-head", "score": "s-head", "metric": "m-head"},
        "metadata": {"m": "of-results"},
    },
    "stats": {
        "started_at": "2026-01-01T00:00:01+00:00",
        "completed_at": "2026-01-01T00:01:01+00:00",
        "model_usage": {"openai/gpt": {"input_tokens": 1001, "output_tokens": 1002, "total_cost": 0.125}},
        "role_usage": {"grader": {"input_tokens": 1003}},
    },
    "error": {"message": "it broke", "traceback": "Traceback"},
    "invalidated": True,
    "log_updates": [{"provenance": {"author": "me"}}],
    "samples": [{"id": 11}],
    "reductions": [{"scorer": "match"}],
}

LIGHTEVAL: dict[str, Any] = {
    "config_general": {
        "lighteval_sha": "5aa3bca",
        "num_fewshot_seeds": 1,
        "max_samples": 12,
        "job_id": "job-7",
        "start_time": 620979.87,
        "end_time": 621004.58,
        "total_evaluation_time_secondes": "24.7",
        "model_config": {"model_name": "org/m", "generation_parameters": {"temperature": 0.6}},
        "model_name": "org/m",
        "model_sha": "c0ffee",
        "model_dtype": "bfloat16",
        "model_size": "476.2 MB",
    },
    "results": {
        "lighteval|gsm8k|5": {"em": 0.25, "em_stderr": 0.125, "maj@8": 0.5},
        "lighteval|mmlu:_average|0": {"acc": 0.375},
        "all": {"em": 0.625},
    },
    "versions": {"lighteval|gsm8k|5": 3},
    "config_tasks": {
        "lighteval|gsm8k": {
            "name": "gsm8k",
            "hf_repo": "org/gsm8k",
            "hf_subset": "main",
            "evaluation_splits": ["test"],
            "generation_size": 256,
            "effective_num_docs": 10,
            "original_num_docs": 1319,
            "must_remove_duplicate_docs": True,
            "metric": [{"metric_name": "em"}],
        }
    },
    "summary_tasks": {
        "lighteval|gsm8k|5": {
            "hashes": {"hash_examples": "8517d5bf7e880086", "hash_full_prompts": "8517d5bf7e880087"},
            "truncated": 21,
            "non_truncated": 22,
            "effective_few_shots": 4.5,
        }
    },
    "summary_general": {"hashes": {"hash_examples": "aed1dfc67e53d0f2"}, "truncated": 31, "padded": 32},
}

EEE: dict[str, Any] = {
    "schema_version": "0.2.0",
    "evaluation_id": "sums/m/1",
    "evaluation_timestamp": "1767225600",
    "retrieved_timestamp": "1767225700",
    "source_metadata": {"source_name": "inspect", "source_type": "evaluation_run"},
    "eval_library": {"name": "inspect_ai", "version": "0.3.9"},
    "model_info": {"name": "m", "id": "org/m", "developer": "org", "additional_details": {"quant": "none"}},
    "evaluation_results": [
        {
            "evaluation_result_id": "r-1",
            "evaluation_name": "sums",
            "evaluation_timestamp": "1767225601",
            "source_data": {
                "dataset_name": "sums-data",
                "source_type": "hf_dataset",
                "hf_repo": "org/sums",
                "hf_split": "test",
                "samples_number": 88,
                "sample_ids": ["s1"],
                "url": ["https://host/data"],
            },
            "metric_config": {
                "metric_id": "acc-id",
                "metric_name": "acc",
                "evaluation_description": "share of right sums",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0.5,
                "max_score": 1.5,
                "metric_unit": "share",
                "metric_parameters": {"k": 5},
                "llm_scoring": {"judges": ["j"]},
            },
            "score_details": {
                "score": 0.75,
                "details": {"level": "hard"},
                "uncertainty": {
                    "standard_error": {"value": 0.25, "method": "bootstrap"},
                    "standard_deviation": 0.375,
                    "num_samples": 9,
                    "confidence_interval": {
                        "lower": 0.625,
                        "upper": 0.875,
                        "confidence_level": 0.95,
                        "method": "wald",
                    },
                },
            },
            "generation_config": {"generation_args": {"temperature": 0.1}, "additional_details": {"n": "2"}},
        }
    ],
    "detailed_evaluation_results": {"format": "jsonl", "file_path": "d.jsonl", "checksum": "cafe"},
}

BUNDLE: dict[str, Any] = {
    "run_id": "eval-20260101T000000Z-sums",
    "config_hash": "sha256:12ab",
    "sdk_version": "0.3.0",
    "timestamp": "2026-01-01T00:00:00+00:00",
    "config": {"model": "org/m", "temperature": 0.25, "benchmark": "sums-config", "limits": {"n": 44}},
    "benchmark": {
        "name": "sums",
        "samples": 50,
        "repeats": 2,
        "scores": {
            "pass@1": {"value": 0.5, "ci_lower": 0.375, "ci_upper": 0.625, "n": 51},
            "plain": 0.125,
            "runtime": {"elapsed_seconds": 60.5, "latency": {"p50": 1.5}},
            "summary": {"mean": 0.875},
            "failures": {"total": 3},
            "breakdowns": {"topic": [{"group": "law", "mean": 0.0625, "n": 25}]},
        },
        "categories": {"easy": {"mean_reward": 0.9375, "n": 26}},
    },
    "n_results": 100,
}

EVERY_FIELD: dict[str, dict[str, Any]] = {
    "lm-eval": LM_EVAL,
    "inspect": INSPECT,
    "lighteval": LIGHTEVAL,
    "eee": EEE,
    "nemo-bundle": BUNDLE,
}
