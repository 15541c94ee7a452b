"""botocore's own tests, apart from the many that look at each service that there is and call none."""

from __future__ import annotations

from tests.suites.suite import Suite

CALLS_NONE = "looks at the models of all services and calls none"
BUILDS = "builds a client of each service and calls none"
ENDPOINTS = "tests/functional/configured_endpoint_urls/test_configured_endpoint_url.py"

SUITE = Suite(
    distribution="botocore",
    tests="tests",
    files=("tests/unit", "tests/functional", "tests/integration/test_client_http.py"),
    ignored={
        "tests/functional/docs": "writes documentation and calls nothing",
        "tests/functional/test_auth_config.py": CALLS_NONE,
        "tests/functional/test_client_class_names.py": BUILDS,
        "tests/functional/test_endpoint_rulesets.py": "works out the addresses of all services, 15,000 times",
        "tests/functional/test_endpoints.py": CALLS_NONE,
        "tests/functional/test_event_alias.py": BUILDS,
        "tests/functional/test_model_completeness.py": CALLS_NONE,
        "tests/functional/test_paginator_config.py": CALLS_NONE,
        "tests/functional/test_regions.py::test_single_service_region_endpoint": BUILDS,
        "tests/functional/test_response_shadowing.py": CALLS_NONE,
        "tests/functional/test_service_names.py": CALLS_NONE,
        "tests/functional/test_waiter_config.py": CALLS_NONE,
        f"{ENDPOINTS}::test_expected_service_config_section_name_is_respected": BUILDS,
        f"{ENDPOINTS}::test_expected_service_env_var_name_is_respected": BUILDS,
    },
    options=("-m", "not validates_models", "-p", "botocore_answers"),
    timeout_s=3600,
)
