from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import (
    from_mapping,
    from_variables,
    load_file,
    new_installation_id,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import TOP_LEVEL_KEYS, ServiceOverride
from hypothesis import given, settings
from hypothesis import strategies as st

BASE = Path("/base")

SOURCE_TOML = """
installation_id = "kubernetes-1.28.0-20250106"
verbose = true
fail_fast = false
cleanup_on_failure = false
provisioning_path = "/usr/local/bin/provisioning"
work_dir = "/srv/provisioning"

[deployment]
platform = "Podman"
mode = "MultiUser"
domain = "dev.example"
auto_generate_secrets = false

[[deployment.services]]
name = "orchestrator"
description = "Task coordination"
port = 8080
enabled = true
required = true

[notifications]
webhook_url = "https://example.com/webhook"
notify_progress = false
notify_completion = false
notify_failure = false
retry_attempts = 5

[notifications.headers]
Content-Type = "application/json"
Authorization = "Bearer ${TOKEN}"

[env_vars]
LOG_LEVEL = "info"
ENABLE_DEBUG = "false"
"""


def load(raw, env=None):
    return from_mapping(raw, env=env or {}, base_dir=BASE, clock=lambda: 0.0)


def test_every_key_of_the_source_is_read_from_toml(tmp_path):
    file = tmp_path / "install.toml"
    file.write_text(SOURCE_TOML)
    config = load_file(file, env={"TOKEN": "t0ken"}).config
    assert config.installation_id == "kubernetes-1.28.0-20250106"
    assert (config.verbose, config.fail_fast, config.cleanup_on_failure) == (True, False, False)
    assert config.provisioning_path == "/usr/local/bin/provisioning"
    assert config.work_dir == "/srv/provisioning"
    assert (config.deployment.platform, config.deployment.mode) == ("Podman", "MultiUser")
    assert (config.deployment.engine, config.deployment.profile) == ("podman", "multi-user")
    assert config.deployment.domain == "dev.example"
    assert config.deployment.auto_generate_secrets is False
    settings = {"description": "Task coordination", "port": 8080, "enabled": True, "required": True}
    assert config.deployment.services == [ServiceOverride(name="orchestrator", settings=settings)]
    assert config.notifications is not None
    assert config.notifications.webhook_url == "https://example.com/webhook"
    assert config.notifications.headers["Authorization"] == "Bearer t0ken"
    assert config.notifications.retry_attempts == 5
    assert config.notifications.notify_progress is False
    assert config.env_vars == {"LOG_LEVEL": "info", "ENABLE_DEBUG": "false"}


def test_an_empty_configuration_is_the_solo_profile_on_docker():
    config = load({})
    assert re.fullmatch("solo-19700101-000000-[0-9a-f]{4}", config.installation_id)
    assert (config.deployment.platform, config.deployment.profile) == ("Docker", "solo")
    assert (config.deployment.bind_address, config.work_dir) == ("127.0.0.1", "~/.provisioning")
    assert (config.fail_fast, config.cleanup_on_failure, config.verbose) == (True, True, False)
    assert config.notifications is None


@pytest.mark.parametrize(
    ("written", "mode"),
    [("Solo", "Solo"), ("multi-user", "MultiUser"), ("MULTI_USER", "MultiUser"), ("cicd", "CICD"), ("CI/CD", "CICD")],
)
def test_a_mode_is_read_in_any_letter_case(written, mode):
    assert load({"deployment": {"mode": written}}).deployment.mode == mode


@pytest.mark.parametrize("written", ["docker", "DOCKER", "Docker"])
def test_a_platform_is_read_in_any_letter_case(written):
    assert load({"deployment": {"platform": written}}).deployment.platform == "Docker"


def test_texts_from_ansibles_command_line_become_booleans_and_numbers():
    notifications = {"retry_attempts": "7", "timeout": "2.5"}
    config = load({"fail_fast": "false", "verbose": "yes", "notifications": notifications})
    assert (config.fail_fast, config.verbose) == (False, True)
    assert config.notifications is not None
    assert (config.notifications.retry_attempts, config.notifications.timeout) == (7, 2.5)


def test_a_listed_service_may_be_a_name_alone():
    assert load({"deployment": {"services": ["gitea"]}}).deployment.services == [ServiceOverride(name="gitea")]


def test_the_environment_gives_values_and_the_id_of_the_run():
    config = load(
        {"work_dir": "${ROOT:-/srv}/p", "fail_fast": "${FAST:-false}"}, {"PROVISIONING_INSTALLATION_ID": "run-7"}
    )
    assert (config.installation_id, config.work_dir, config.fail_fast) == ("run-7", "/srv/p", False)
    assert load({"installation_id": "mine"}, {"PROVISIONING_INSTALLATION_ID": "run-7"}).installation_id == "mine"


def test_placeholders_of_definitions_are_left_for_later():
    raw = {
        "variables": {"a": "${var.b}"},
        "env_vars": {"A": "${deployment.domain}"},
        "deployment": {"services": [{"name": "gitea", "port": "${PORT}"}]},
    }
    config = load(raw)
    assert config.variables == {"a": "${var.b}"}
    assert config.env_vars == {"A": "${deployment.domain}"}
    assert config.deployment.services[0].settings == {"port": "${PORT}"}


@pytest.mark.parametrize("path", ["/srv/my platform", "~/plattform-für-später", "/srv/平台", "/a{b}", "/a #1 (new)"])
def test_a_work_dir_may_have_spaces_and_letters_of_any_language(path):
    assert load({"work_dir": path}).work_dir == path


def test_paths_of_registries_are_relative_to_the_configuration():
    assert load({"registry": ["mine", "/abs", "~/x"]}, {"HOME": "/home/me"}).registry == [
        "/base/mine",
        "/abs",
        "/home/me/x",
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"fail_fats": 1}, "fail_fats: is not a known setting. Did you mean fail_fast?"),
        ({"deployment": {"platfrom": "x"}}, "deployment.platfrom: is not a known setting. Did you mean platform?"),
        ({"deployment": {"mode": "Solos"}}, "'Solos' is not one of Solo, MultiUser, CICD, Enterprise. Did you mean"),
        ({"deployment": {"platform": 3}}, "deployment.platform: 3 is not one of Docker, Podman"),
        ({"deployment": "x"}, "deployment: expected a mapping, got 'x'"),
        ({"deployment": '{"mode": "solo"}'}, "On Ansible's command line pass it as JSON"),
        ({"deployment": {"services": {"gitea": {}}}}, "deployment.services: expected a list, got a mapping"),
        ({"deployment": {"services": [{"port": 1}]}}, "deployment.services[0].name: is missing"),
        ({"deployment": {"services": [3]}}, "deployment.services[0]: expected a mapping, got 3"),
        ({"deployment": {"services": ["Gitea!"]}}, "deployment.services[0].name: 'Gitea!' is not a service's name"),
        ({"fail_fast": "maybe"}, "fail_fast: expected true or false, got 'maybe'"),
        ({"work_dir": "relative"}, "work_dir: 'relative' is not an absolute path"),
        ({"work_dir": "/a:b"}, "work_dir: '/a:b' has ':' in it, which mounts of containers would take for its own"),
        ({"work_dir": "/a$b"}, "work_dir: '/a$b' has '$' in it, which substitution"),
        ({"work_dir": "/$${HOME}"}, "work_dir: '/${HOME}' has '$' in it, which substitution"),
        ({"work_dir": "/a{{b"}, "work_dir: '/a{{b' has '{{' in it, which Jinja"),
        ({"work_dir": "/a{% b"}, "has '{%' in it"),
        ({"work_dir": "/a{#b"}, "has '{#' in it"),
        ({"work_dir": "/a\nb"}, r"work_dir: '/a\nb' has the control character '\n' in it. Set work_dir to"),
        ({"work_dir": "/a\x7fb"}, r"has the control character '\x7f' in it"),
        ({"work_dir": "/a\u2028b"}, r"has the control character '\u2028' in it"),
        ({"work_dir": 3}, "work_dir: expected a text, got 3. Put it in quotes."),
        ({"work_dir": "${NOWHERE}/x"}, "work_dir: ${NOWHERE}: the environment variable NOWHERE is not set"),
        ({"fail_fast": "${NOWHERE}"}, "fail_fast: ${NOWHERE}: the environment variable NOWHERE is not set"),
        ({"work_dir": "/x/${self.port}"}, "Here only environment variables stand, which have no dot."),
        ({"installation_id": "../x"}, "installation_id: '../x' cannot be the name of an installation"),
        ({"installation_id": "current"}, "installation_id: 'current' cannot be the name of an installation"),
        ({"installation_id": "a b"}, "installation_id: 'a b' cannot be the name of an installation"),
        ({"provisioning_path": "bin/x"}, "provisioning_path: 'bin/x' is not an absolute path"),
        ({"deployment": {"domain": "a b"}}, "deployment.domain: 'a b' is neither a domain nor an address"),
        ({"deployment": {"bind_address": "all"}}, "deployment.bind_address: 'all' is not an IP address"),
        ({"deployment": {"project": "A B"}}, "deployment.project: 'A B' cannot be a project's name"),
        ({"deployment": {"engine_url": "/run/x.sock"}}, "is not an engine's address. E.g. unix:///run/podman"),
        ({"notifications": {"webhook_url": "http://x.example/h"}}, "webhook_url: sends to x.example unencrypted"),
        ({"notifications": {"webhook_url": "hook"}}, "notifications.webhook_url: is not an https URL"),
        ({"notifications": {"retry_attempts": -1}}, "notifications.retry_attempts: -1 is not between 0 and 100"),
        ({"notifications": {"timeout": 0}}, "notifications.timeout: 0 is not above 0"),
        ({"notifications": {"format": "teams"}}, "notifications.format: "),
        (
            {"notifications": {"webhook_url": "https://events.pagerduty.com/v2/enqueue"}},
            "notifications.routing_key: is missing, and PagerDuty takes nothing without it",
        ),
        (
            {"notifications": {"webhook_url": "https://x.example/h", "routing_key": "k"}},
            "notifications.routing_key: is for PagerDuty",
        ),
        ({"notifications": {"routing_key": ["s3cret"]}}, "notifications.routing_key: expected a text"),
        ({"notifications": {"headers": {"a b": "x"}}}, "notifications.headers.a b: is not the name of a header"),
        ({"notifications": {"headers": {"A": "x\r\nB: y"}}}, "notifications.headers.A: has a value that no header may"),
        ({"notifications": {"retry_attempts": True}}, "notifications.retry_attempts: expected a number, got true"),
        ({"registry": "x"}, "registry: expected a list, got 'x'"),
        ({"env_vars": {"A": [1]}}, "env_vars.A: expected a text, a whole number, a number or true or false"),
        ({"variables": []}, "variables: expected a mapping, got a list"),
    ],
)
def test_a_fault_is_one_error_with_path_and_remedy(faults_of, raw, message):
    faults = faults_of(load, raw)
    assert len(faults) == 1
    assert message in faults[0]


def test_all_faults_are_told_at_once(faults_of):
    raw = {"fail_fast": "x", "deployment": {"mode": "y", "domain": "${A}"}, "notifications": {"timeout": "z", "u": 1}}
    assert [fault.split(":")[0] for fault in faults_of(load, raw)] == [
        "deployment.domain",
        "fail_fast",
        "deployment.mode",
        "notifications.timeout",
        "notifications.u",
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.9.9.9"])
def test_a_webhook_on_this_machine_needs_no_tls(host):
    assert load({"notifications": {"webhook_url": f"http://{host}:8/h"}}).notifications is not None


def test_no_message_shows_what_may_be_a_secret(faults_of):
    raw = {"notifications": {"headers": {"Authorization": ["hunter2"], "X-Api-Key": 1234567}}}
    raw["notifications"]["webhook_url"] = "http://hooks.example/s3cret"
    text = "\n".join(faults_of(load, raw))
    assert "Authorization" in text
    assert "X-Api-Key" in text
    assert not re.search("hunter2|1234567|s3cret", text)


def test_ansibles_variables_are_picked_by_name_and_near_misses_warned_of():
    variables = {
        "fail_fast": False,
        "work_dri": "/x",
        "ansible_work_dir": 1,
        "hostvars": {},
        "deployments": {},
        "deployment": {"mode": "solo"},
        "nginx_service": "nginx",
    }
    loaded = from_variables(variables, env={}, base_dir=BASE)
    assert loaded.config.fail_fast is False
    assert loaded.warnings == ("The variable work_dri is no setting of an installation. Did you mean work_dir?",)


@pytest.mark.parametrize(
    ("text", "mode", "found"),
    [
        ('notifications:\n  headers: {Authorization: "Bearer x"}', 0o644, "notifications.headers.Authorization"),
        ("env_vars: {DB_PASSWORD: x}", 0o640, "env_vars.DB_PASSWORD"),
        ("deployment:\n  services: [{name: gitea, deployment: {docker: {env: {API_KEY: x}}}}]", 0o604, "services[0]"),
        ("notifications: {webhook_url: 'https://hooks.slack.com/services/T/B/x'}", 0o644, "notifications.webhook_url"),
        ("env_vars: {DB_PASSWORD: x}", 0o600, None),
        ('notifications:\n  headers: {Authorization: "Bearer ${T:-x}"}', 0o644, None),
        ("env_vars: {LOG_LEVEL: x}\ndeployment: {auto_generate_secrets: true}", 0o644, None),
    ],
)
def test_a_file_that_others_can_read_is_warned_of_while_it_holds_a_secret(tmp_path, text, mode, found):
    file = tmp_path / "install.yml"
    file.write_text(text)
    file.chmod(mode)
    warnings = load_file(file, env={}).warnings
    assert len(warnings) == (1 if found else 0)
    if found:
        assert found in warnings[0]
        assert f"chmod 600 {file}" in warnings[0]


def test_overrides_stand_in_place_of_a_files_settings(tmp_path):
    file = tmp_path / "install.yml"
    file.write_text("fail_fast: true\nverbose: true")
    config = load_file(file, env={}, overrides={"fail_fast": False}).config
    assert (config.fail_fast, config.verbose) == (False, True)


def test_an_id_is_made_of_profile_time_and_chance():
    first, second = (new_installation_id("cicd", 1767225600) for _ in range(2))
    assert first.startswith("cicd-20260101-000000-")
    assert first != second


TEXTS = st.text(max_size=12) | st.sampled_from(["${", "${A}", "https://[", "~"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NAMES = st.sampled_from([*TOP_LEVEL_KEYS, "name", "services", "mode", "platform", "headers", "webhook_url"]) | st.text()
GARBAGE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(NAMES, GARBAGE, max_size=6))
@settings(max_examples=80, deadline=None)
def test_garbage_never_ends_in_a_traceback(raw):
    with suppress(ConfigurationError):
        load(raw)


@given(st.fixed_dictionaries({}, optional={"deployment": st.dictionaries(NAMES, GARBAGE), "notifications": GARBAGE}))
@settings(max_examples=40, deadline=None)
def test_garbage_below_our_names_never_ends_in_a_traceback(raw):
    with suppress(ConfigurationError):
        load(raw)
