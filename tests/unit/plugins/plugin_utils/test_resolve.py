from __future__ import annotations

import json
from contextlib import suppress

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._module import definitions
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORK_DIR = "/home/me/.provisioning"


def process(**more):
    return {"deployment": {"mode": "binary", "binary": {"command": "x"}}, **more}


def container(*ports, **more):
    return {"deployment": {"mode": "docker", "docker": {"image": "x", "ports": list(ports)}}, **more}


def asking(text, mode="binary"):
    """A service that has a text in its environment, which is resolved for it."""
    block = {"command": "x"} if mode == "binary" else {"image": "x"}
    return {"deployment": {"mode": mode, mode: {**block, "env": {"V": text}}}}


def env_of(platform, name="a"):
    deployment = platform.registry.services[name].deployment
    block = deployment.binary if deployment.mode == "binary" else deployment.docker
    return block.env["V"]


def test_services_come_in_the_order_they_can_start_in(install):
    services = {"b": process(depends_on=["a"]), "a": process(depends_on=["c"], start_order=1), "c": process()}
    platform = install(services)
    assert list(platform.registry.services) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${self.port}", 80),
        ("${self.ports.ssh}", 22),
        ("${self.name} ${self.scheme} ${self.bind_address}", "a http 127.0.0.1"),
        ("${self.data_dir}", f"{WORK_DIR}/data/a"),
        ("${self.config_dir}/x", f"{WORK_DIR}/config/a/x"),
        ("${self.host} ${self.url}", "127.0.0.1 http://127.0.0.1:80"),
        ("${self.greeting}", "hello a"),
        ("${self.users.admin}", "root"),
        ("${deployment.domain}:${deployment.project}", "localhost:provisioning"),
        ("${deployment.work_dir}", WORK_DIR),
        ("${deployment.profile} ${deployment.engine}", "solo docker"),
        ("${var.color}", "blue"),
        ("${TOKEN}", "t0ken"),
        ("${NOWHERE:-d}", "d"),
        ("${secret.key}", "${secret.a.key}"),
        ("${secret.a.key}", "${secret.a.key}"),
        ("$${self.port}", "${self.port}"),
        ("${service.gone.url:-none}", "none"),
        ("${deployment.engine_url:-none}", "none"),
    ],
)
def test_placeholders_of_a_definition_are_resolved(install, text, value):
    service = {
        **asking(text),
        "port": 80,
        "ports": {"ssh": 22},
        "variables": {"greeting": "hello ${self.name}", "users": {"admin": "root"}},
        "secrets": {"key": {}},
    }
    assert env_of(install({"a": service}, env={"TOKEN": "t0ken"}, vars={"color": "blue"})) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${self.prot}", "V: ${self.prot}: a has no setting or variable prot. Did you mean port?"),
        ("${self.ports.shs}", "${self.ports.shs}: there is no setting or variable of a called ports.shs"),
        ("${deployment.domian}", "there is no setting of deployment called domian. Did you mean domain?"),
        ("${deployment.engine_url}", "${deployment.engine_url}: has no value in this installation"),
        ("${var.colour}", "${var.colour}: there is no variable colour. Did you mean color?"),
        ("${secret.kye}", "${secret.kye}: a declares no secret kye. Did you mean key?"),
        ("${secret.b.key}", "${secret.b.key}: there is no service b here"),
        ("${service.gitae.url}", "${service.gitae.url}: there is no service gitae in this installation"),
        (
            "${service.a.path}",
            "a: does not say what of it is wanted. Ask for service.a.host, .port, .url or .ports.NAME.",
        ),
        ("${service.a.ports.x}", "a.ports.x: a has no such port"),
        ("${self.loop}", "self.loop -> self.pool -> self.loop: these refer to each other without end"),
        ("${TOKEN}", "a.deployment.binary.env.V: ${TOKEN}: the environment variable TOKEN is not set"),
        ("${self port}", "a.deployment.binary.env.V: ${self port} is not a placeholder"),
        ("${other.x}", "other: is not known here. Here it can begin with deployment., var., self., service., secret."),
    ],
)
def test_what_cannot_be_resolved_is_an_error_with_its_place(install, faults_of, text, message):
    variables = {"loop": "${self.pool}", "pool": "${self.loop}"} if "loop" in text else {}
    service = {**asking(text), "port": 80, "ports": {"ssh": 22}, "secrets": {"key": {}}, "variables": variables}
    faults = faults_of(install, {"a": service}, vars={"color": "blue"})
    assert message in "\n".join(faults)
    assert len(faults) == (3 if "loop" in text else 1)


@pytest.mark.parametrize(
    ("mode", "target", "value"),
    [
        ("binary", process(port=80), "http://127.0.0.1:80"),
        ("binary", container("8300:80", port=80), "http://127.0.0.1:8300"),
        ("docker", container("8300:80", port=80), "http://b:80"),
        ("docker", process(port=80, bind_address="0.0.0.0"), "http://host.docker.internal:80"),
        ("docker", {"deployment": {"mode": "remote", "remote": {"url": "https://b.example"}}}, "https://b.example"),
    ],
)
def test_an_address_is_resolved_for_the_one_who_asks(install, mode, target, value):
    assert env_of(install({"a": asking("${service.b.url}", mode), "b": target})) == value


def test_what_differs_between_replicas_is_left_to_who_starts_them(install, faults_of):
    block = {"command": "a", "args": ["-p", "${replica.port}"], "env": {"N": "${replica.number}"}}
    a = {"port": 80, "ports": {"ssh": 22}, "deployment": {"mode": "binary", "binary": block}}
    found = install({"a": a}).registry.services["a"].deployment.binary
    assert (found.args, found.env) == (["-p", "${replica.port}"], {"N": "${replica.number}"})
    a["health"] = {"type": "http", "url": "http://localhost:${replica.port}"}
    block["args"] = ["${replica.ports.web}"]
    port, place = faults_of(install, {"a": a})
    assert port.endswith("${replica.ports.web}: a has no such port. Ask for replica.number, .port or .ports.NAME.")
    assert "only the arguments and the environment of a process know of replicas" in place
    assert place.startswith("a.health.url: ")


def test_an_address_that_cannot_be_reached_is_an_error_before_anything_is_touched(install, faults_of):
    faults = faults_of(install, {"a": asking("${service.b.url}", "docker"), "b": process(port=80)})
    assert "\n".join(faults) == (
        "a.deployment.docker.env.V: ${service.b.url}: b: listens on 127.0.0.1 alone, where no container reaches it. "
        "Set deployment.services[b].bind_address to 0.0.0.0 or to an address of the host."
    )


def test_a_containers_checks_are_made_from_its_host(install):
    health = {"type": "http", "url": "${service.b.url}/x"}
    inside = {"type": "command", "command": ["get", "${service.b.url}"], "inside": True}
    dns = {"type": "dns", "name": "x", "host": "${service.b.host}", "port": "${service.b.port}"}
    services = {"b": container("8300:80", port=80), "a": container(health=health, verify=[dns])}
    a = install(services).registry.services["a"]
    assert a.health.url == "http://127.0.0.1:8300/x"
    assert (a.verify[0].host, a.verify[0].port) == ("127.0.0.1", 8300)
    a = install({**services, "a": container(health=inside)}).registry.services["a"]
    assert a.health.command == ["get", "http://b:80"]


def test_an_address_cannot_depend_on_another_services(install, faults_of):
    faults = faults_of(install, {"a": process(port="${service.b.port}"), "b": process(port=80)})
    assert "\n".join(faults) == (
        "a: its own address cannot depend on that of a service. "
        "Write its port, bind_address and ports without ${service...}."
    )


def test_a_fault_of_a_service_is_not_told_again_by_those_that_ask_for_it(install, faults_of):
    services = {"a": asking("${service.b.url}"), "b": process(port="x", bogus=1)}
    assert [fault.split(":")[0] for fault in faults_of(install, services)] == ["b.port", "b.bogus"]


def test_all_faults_of_all_services_are_told_at_once(install, faults_of):
    services = {
        "a": process(port="${NOWHERE}", health={"type": "htp"}),
        "b": process(port=99999),
        "c": process(depends_on=["nobody"]),
    }
    paths = [fault.split(": ")[0] for fault in faults_of(install, services)]
    assert paths == ["a.port", "a.health.type", "b.port"]
    del services["a"]
    paths = [fault.split(": ")[0] for fault in faults_of(install, services)]
    assert paths == ["b.port", "c.depends_on.nobody"]


def test_published_ports_get_the_services_address(install):
    services = {"a": container("80:80", "[::1]:81:81", "53:53/udp", bind_address="10.0.0.5")}
    ports = install(services).registry.services["a"].deployment.docker.ports
    assert ports == ["10.0.0.5:80:80", "[::1]:81:81", "10.0.0.5:53:53/udp"]


def test_paths_below_the_home_directory_are_written_out(install):
    binary = {"command": "~/bin/x", "args": ["~/kept"], "working_dir": "~"}
    docker = {"image": "x", "volumes": ["~/data:/data", "named:/x"], "command": ["~/kept"]}
    deployment = {"mode": "binary", "binary": binary, "docker": docker}
    a = install({"a": {"deployment": deployment, "health": {"type": "file", "path": "~/up"}}}).registry.services["a"]
    assert (a.deployment.binary.command, a.deployment.binary.working_dir) == ("/home/me/bin/x", "/home/me")
    assert a.deployment.binary.args == ["~/kept"]
    assert a.deployment.docker.volumes == ["/home/me/data:/data", "named:/x"]
    assert a.deployment.docker.command == ["~/kept"]
    assert a.health.path == "/home/me/up"


@pytest.mark.parametrize(
    ("written", "work_dir"),
    [("~/.provisioning", WORK_DIR), ("/srv/p/", "/srv/p"), ("~/a/../b", "/home/me/b")],
)
def test_the_work_dir_is_absolute(install, written, work_dir):
    assert install({}, work_dir=written).work_dir == work_dir


def test_faults_of_disabled_services_are_told_with_all_others(install, faults_of):
    listed = [{"name": "gitea", "enabled": False, "prot": 1}]
    faults = faults_of(install, {"a": process(prot=1)}, deployment={"services": listed}, only=None)
    assert faults == [
        "gitea.prot: is not a known setting. Did you mean port?",
        "a.prot: is not a known setting. Did you mean port?",
    ]


@pytest.mark.parametrize("written", ["/", "//", "relative", "~root/x", "~/../.."])
def test_what_cannot_be_a_work_dir_is_refused(install, faults_of, written):
    assert "cannot be the work dir" in faults_of(install, {}, work_dir=written)[0]


def test_configuration_files_are_written_out_below_the_services_folder(install):
    files = [
        {"dest": "a.conf", "content": "${self.port} ${secret.key}"},
        {"dest": "${self.config_dir}/sub/b.conf", "content": "b", "mode": "0644"},
    ]
    a = install({"a": process(port=80, config=files, secrets={"key": {}})}).registry.services["a"]
    assert [(file.dest, file.content, file.mode) for file in a.config] == [
        (f"{WORK_DIR}/config/a/a.conf", "80 ${secret.a.key}", "0600"),
        (f"{WORK_DIR}/config/a/sub/b.conf", "b", "0644"),
    ]


@pytest.mark.parametrize("dest", ["/etc/passwd", "../b/x", "", ".", "sub/../../x"])
def test_a_configuration_file_outside_the_services_folder_is_refused(install, faults_of, dest):
    faults = faults_of(install, {"a": process(config=[{"dest": dest, "content": ""}])})
    assert f"is outside the folder {WORK_DIR}/config/a" in faults[0]


def test_a_secret_in_a_file_that_others_may_read_is_warned_of(install):
    file = {"dest": "x", "content": "${secret.key}", "mode": "0644"}
    assert install({"a": process(config=[file], secrets={"key": {}})}).warnings == (
        f"a: {WORK_DIR}/config/a/x holds a secret and has the mode 0644, which lets others read it. 0600 does not.",
    )


def test_templates_are_rendered_with_addresses_and_placeholders(registries):
    config = from_mapping({"registry": [str(registries / "company")]}, env={}, base_dir=registries)
    platform = resolve(config, home="/home/me", roles_dir=registries, env={}, only=["web-shop"])
    assert list(platform.registry.services) == ["ledger", "web-shop"]
    file = platform.registry.services["web-shop"].config[0]
    assert (file.dest, file.template) == (f"{WORK_DIR}/config/web-shop/shop.conf", None)
    assert file.content == (
        "# Web shop\nport = 9001\ngreeting = Hello from web-shop\nledger = http://ledger:9002\ndomain = localhost\n"
        "key = ${secret.web-shop.session_key}\npeer.ledger = ledger:9002\n"
    )


def test_a_broken_template_is_a_fault_like_any_other(install, faults_of):
    faults = faults_of(install, {"a": process(config=[{"dest": "x", "template": "gone.j2"}])})
    assert "a.config: there is no template gone.j2. It is looked for in" in faults[0]


@pytest.mark.parametrize(
    ("platform", "override", "modes"),
    [
        ("Docker", {}, ("binary", "docker", "binary")),
        ("Podman", {}, ("binary", "docker", "binary")),
        ("Kubernetes", {}, ("kubernetes", "kubernetes", "binary")),
        ("Kubernetes", {"mode": "docker"}, ("docker", "kubernetes", "binary")),
        ("Docker", {"mode": "docker"}, ("docker", "docker", "binary")),
    ],
)
def test_the_platform_chooses_the_mode_unless_the_owner_does(install, platform, override, modes):
    both = {"mode": "binary", "binary": {"command": "x"}, "docker": {"image": "x"}}
    services = {"a": {"deployment": both}, "b": container(), "c": process()}
    deployment = {"platform": platform, "services": [{"name": "a", **override}]}
    resolved = install(services, deployment=deployment).registry.services
    assert tuple(resolved[name].mode for name in "abc") == modes


def test_orbstack_needs_another_mode_for_processes(install, faults_of):
    both = {"mode": "binary", "binary": {"command": "x"}, "docker": {"image": "x"}}
    assert (
        "OrbStack means macOS"
        in faults_of(install, {"a": {"deployment": both}}, deployment={"platform": "orbstack"})[0]
    )
    deployment = {"platform": "orbstack", "services": [{"name": "a", "mode": "docker"}]}
    platform = install({"a": {"deployment": both}}, deployment=deployment)
    assert platform.to_module_args()["engine"] == "orbstack"


def test_the_environment_of_all_services_is_resolved(install, faults_of):
    services = {"a": process(secrets={"key": {}})}
    env_vars = {"LEVEL": "${LEVEL:-info}", "DOMAIN": "${deployment.domain}", "N": "${var.n}", "K": "${secret.a.key}"}
    platform = install(services, env_vars=env_vars, vars={"n": 3})
    assert platform.env_vars == {"LEVEL": "info", "DOMAIN": "localhost", "N": 3, "K": "${secret.a.key}"}
    faults = faults_of(
        install,
        services,
        env_vars={"A": "${self.port}", "B C": "", "D": "${var.d}", "E": "${secret.key}"},
        vars={"d": []},
    )
    assert [fault.split(":")[0] for fault in faults] == ["env_vars.A", "env_vars.E", "env_vars.B C", "env_vars.D"]


def test_the_target_gets_json_that_it_can_build_from(install):
    deployment = {"project": "mine", "platform": "podman", "engine_url": "unix:///run/podman.sock"}
    services = {"a": process(health={"type": "tcp", "port": 1}), "b": container("1:1", depends_on=["a"])}
    platform = install(services, deployment=deployment, env_vars={"A": 1})
    arguments = json.loads(json.dumps(platform.to_module_args()))
    assert definitions(arguments.pop("services")) == platform.registry.services
    assert set(arguments.pop("operations")) == {"server", "workflow", "test"}
    assert arguments == {
        "project": "mine",
        "engine": "podman",
        "engine_url": "unix:///run/podman.sock",
        "env_vars": {"A": 1},
        "work_dir": WORK_DIR,
        "elsewhere": {},
        "rounds": 1,
        "provisioning_path": None,
    }


def test_a_definition_that_turns_itself_off_is_not_installed(install, faults_of):
    services = {"a": process(enabled="${ON:-false}"), "b": process()}
    assert list(install(services, only=None, deployment={"services": OFF}).registry.services) == ["b"]
    assert (
        "a needs b, which is not installed here"
        in faults_of(
            install,
            {"a": process(depends_on=["b"]), "b": process(enabled="${ON:-false}")},
            only=None,
            deployment={"services": OFF},
        )[0]
    )


OFF = [
    {"name": name, "enabled": False}
    for name in ("orchestrator", "control-center", "api-gateway", "mcp-server", "coredns", "gitea", "oci-registry")
]

KEYS = st.sampled_from(
    [
        *ServiceDefinition.__dataclass_fields__,
        "mode",
        "binary",
        "docker",
        "command",
        "image",
        "ports",
        "type",
        "url",
        "x",
    ]
)
TEXTS = st.sampled_from(
    ["${self.port}", "${service.b.url}", "${", "$${x}", "binary", "docker", "80:80", "http", "~", "/"]
)
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99999) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, GARBAGE, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_definition_of_garbage_never_ends_in_a_traceback(install, garbage):
    base = process(port=1, config=[{"dest": "x", "content": "${service.a.url}"}])
    with suppress(ConfigurationError):
        install({"a": {**base, **garbage, "name": "a"}, "b": process(port=2)})


@given(GARBAGE)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_override_of_garbage_never_ends_in_a_traceback(install, garbage):
    with suppress(ConfigurationError):
        install({"a": process(port=1)}, variables={"a_service": garbage})


def test_localhost_is_an_address(install):
    binary = {"deployment": {"mode": "binary", "binary": {"command": "x", "args": ["${self.bind_address}"]}}}
    services = {"web": {**binary, "port": 8300}, "own": {**binary, "port": 8301, "bind_address": "localhost"}}
    found = install(services, deployment={"bind_address": "localhost"}).registry.services
    for service in found.values():
        assert service.bind_address == "127.0.0.1"
        assert service.deployment.binary.args == ["127.0.0.1"]
        assert service.url == f"http://127.0.0.1:{service.port}"
