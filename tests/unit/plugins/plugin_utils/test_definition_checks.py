from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.definition_checks import definition_problems

DOCKER = {"image": "x"}
HTTP = {"type": "http", "url": "http://127.0.0.1:1/h"}
DNS = {"type": "dns", "name": "a.local", "port": 53}
HTTPS = "https://x.example"
DOWNLOAD = {"url": "https://x.example/f", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": 0}, "x.port: 0 is not a port. Ports go from 1 to 65535."),
        ({"ports": {"ssh": 65536}}, "x.ports.ssh: 65536 is not a port"),
        ({"bind_address": "everywhere"}, "x.bind_address: 'everywhere' is not an IP address"),
        ({"binary": {"command": "bin/x"}}, "x.deployment.binary.command: 'bin/x' is not an absolute path"),
        ({"binary": {"command": ""}}, "x.deployment.binary.command: '' is not an absolute path"),
        ({"binary": {"command": "x", "working_dir": "y"}}, "x.deployment.binary.working_dir: 'y' is not an absolute"),
        ({"binary": {"command": "x", "env": {"A B": 1}}}, "env.A B: is not the name of an environment variable"),
        ({"binary": {"command": "x", "replicas": 0}}, "x.deployment.binary.replicas: 0 is too small. The least is 1."),
        ({"binary": {"command": "x", "download": {**DOWNLOAD, "sha256": "x"}}}, "sha256: is not a SHA-256 sum"),
        (
            {"binary": {"command": "x", "download": {**DOWNLOAD, "url": "ftp://x"}}},
            "It begins with http:// or https://.",
        ),
        ({"docker": {"image": " "}}, "x.deployment.docker.image: is empty"),
        (
            {"docker": {"image": "X Y:1"}},
            "docker.image: 'X Y:1' is not the name of an image. E.g. registry.example/team/app:1.2.",
        ),
        ({"docker": {"image": "x:"}}, "x.deployment.docker.image: 'x:' is not the name of an image"),
        ({"docker": {"image": "https://r.example/x"}}, "image: 'https://r.example/x' is not the name of an image"),
        ({"kubernetes": {"image": "a//b"}}, "x.deployment.kubernetes.image: 'a//b' is not the name of an image"),
        (
            {"docker": {"image": "r.example/${secret.x.token}"}},
            "x.deployment.docker.image: holds the secret x.token, which all who may look at containers would read.",
        ),
        ({"docker": {**DOCKER, "volumes": ["/${secret.x.p}:/a"]}}, "docker.volumes: holds the secret x.p, which all"),
        ({"kubernetes": {"image": "a:${secret.x.p}"}}, "kubernetes.image: holds the secret x.p, which all who may"),
        ({"kubernetes": {"chart": {"chart": "/c", "version": "${secret.x.p}"}}}, "kubernetes.chart: holds the secret"),
        ({"compose": {"file": "/c/${secret.x.p}"}}, "x.deployment.compose: holds the secret x.p, which ps would show"),
        ({"binary": {"command": "/bin/${secret.x.p}"}}, "x.deployment.binary: holds the secret x.p, which ps would"),
        (
            {"docker": {**DOCKER, "volumes": ["/a:/data", "b:/data/:ro"]}},
            "x.deployment.docker: mounts two things on /data. Choose another path for one of them.",
        ),
        ({"docker": {**DOCKER, "volumes": ["/a:/run"], "tmpfs": ["/run"]}}, "docker: mounts two things on /run"),
        (
            {"kubernetes": {"image": "x", "volumes": ["a:/b", "c:/b"]}},
            "kubernetes: mounts two things on /b",
        ),
        ({"docker": {**DOCKER, "replicas": 1_000_000}}, "docker.replicas: 1000000 is too large. The most is 1000."),
        ({"binary": {"command": "x", "replicas": 1001}}, "binary.replicas: 1001 is too large"),
        ({"kubernetes": {"image": "x", "replicas": 1001}}, "kubernetes.replicas: 1001 is too large"),
        ({"startup": {"timeout": 1e300}}, "x.startup.timeout: 1e+300 is too large. The most is 86400."),
        ({"startup": {"stop_timeout": 90_000}}, "x.startup.stop_timeout: 90000.0 is too large"),
        ({"health": {**HTTP, "interval": 1e300}}, "x.health.interval: 1e+300 is too large"),
        ({"health": {**HTTP, "retries": 100_000}}, "x.health.retries: 100000 is too large. The most is 10000."),
        ({"resources": {"cpu": 1e9}}, "x.resources.cpu: 1000000000.0 is too large"),
        ({"resources": {"memory": "99999999999g"}}, "x.resources.memory: '99999999999g' is too large"),
        ({"resources": {"open_files": 1 << 40}}, "x.resources.open_files: 1099511627776 is too large"),
        ({"docker": {**DOCKER, "ports": ["x"]}}, "docker.ports[0]: 'x' is not [address:]host:container[/udp]"),
        ({"docker": {**DOCKER, "ports": ["1-2:80"]}}, "'1-2:80' has 2 host ports for 1 replicas. Write one host port."),
        ({"docker": {**DOCKER, "ports": ["80:80"], "replicas": 2}}, "Write a range of 2, or publish nothing."),
        (
            {"docker": {**DOCKER, "volumes": ["data"]}},
            "volumes[0]: 'data' is not source:/path/in/container[:ro]",
        ),
        ({"docker": {**DOCKER, "volumes": ["a/b:/x"]}}, "docker.volumes[0]: 'a/b' is not an absolute path"),
        ({"docker": {**DOCKER, "volumes": ["/a:/x:rx"]}}, "docker.volumes[0]: '/a:/x:rx' is not source:"),
        ({"docker": {**DOCKER, "tmpfs": ["tmp"]}}, "docker.tmpfs[0]: 'tmp' is not an absolute path"),
        ({"docker": {**DOCKER, "build": {"context": "."}}}, "docker.build.context: '.' is not an absolute path"),
        (
            {"docker": {**DOCKER, "healthcheck": True}},
            "healthcheck: needs health.type command with inside: true",
        ),
        ({"compose": {"file": "c.yml"}}, "x.deployment.compose.file: 'c.yml' is not an absolute path"),
        ({"compose": {"file": "/c", "env_files": ["e"]}}, "x.deployment.compose.env_files[0]: 'e' is not an absolute"),
        ({"compose": {"file": "/c", "project": "My Shop"}}, "x.deployment.compose.project: 'My Shop' is no name of a"),
        ({"compose": {"file": "/c", "env": {"A-B": 1}}}, "x.deployment.compose.env"),
        ({"kubernetes": {"chart": {"chart": "/c"}, "manifests": ["/m"]}}, "kubernetes: has a chart and manifests"),
        (
            {"config": [{"dest": "/w/x", "content": ""}, {"dest": "/w/x/y", "content": ""}]},
            "x.config: /w/x cannot be a file and a folder of others. Rename one.",
        ),
        ({"config": [{"dest": "/w/${secret.x.p}", "content": ""}]}, "x.config[0].dest: holds a secret"),
        ({"startup": {"stop_signal": "SIGSTOP"}}, "x.startup.stop_signal: 'SIGSTOP' is not a signal"),
        ({"labels": {"com.docker.compose.project": "x"}}, "labels.com.docker.compose.project: is set by the platform"),
        ({"labels": {"io.provisioning.project": "x"}}, "x.labels.io.provisioning.project: is set by the platform"),
        (
            {"binary": {"command": "x", "args": ["--token", "${secret.x.token}"]}},
            "x.deployment.binary.args: holds the secret x.token, which ps would show to every user. Hand it over",
        ),
        (
            {"health": {"type": "command", "command": ["ask", "${secret.x.token}"]}},
            "x.health.command: holds the secret x.token, which ps would show to every user",
        ),
        ({"remote": {"url": "box"}}, "x.deployment.remote.url: 'box' is not a URL"),
        ({"remote": {"url": "http://[x"}}, "x.deployment.remote.url: 'http://[x' is not a URL"),
        ({"remote": {"url": "ftp://x.example"}}, "url: does not say which port of x.example is meant"),
        ({"remote": {"url": "postgres://me:pw@x.example"}}, "url: holds a password, which would be kept in records"),
        ({"remote": {"url": HTTPS, "ca_file": "ca.pem"}}, "x.deployment.remote.ca_file: 'ca.pem' is not an absolute"),
        ({"remote": {"url": HTTPS, "client_key": "/k"}}, "remote.client_certificate: is missing, although there is a"),
        (
            {"remote": {"url": HTTPS, "token": "hunter2"}},
            (
                "remote.token: is written out, and would be kept in records. "
                "Declare it, secrets: {token: {environment: NAME}}, and write ${secret.token} as the token."
            ),
        ),
        (
            {"remote": {"url": "http://x.example", "token": "${secret.x.token}"}},
            "x.deployment.remote.token: would be sent unencrypted. Use https.",
        ),
        ({"health": {**HTTP, "client_certificate": "c"}}, "x.health.client_certificate: 'c' is not an absolute path"),
        (
            {"health": {**HTTP, "headers": {"Authorization": "Bearer hunter2"}}},
            "x.health.headers.Authorization: is written out, and would be kept in records",
        ),
        ({"secrets": {"p": {"environment": "A B"}}}, "secrets.p.environment.A B: is not the name of an environment"),
        (
            {"secrets": {"p": {}, "line": {"format": "htpasswd", "of": "p", "user": "a", "environment": "A"}}},
            (
                "x.secrets.line.environment: cannot be given by the environment, since the line is made of a password. "
                "Let p come from there."
            ),
        ),
        ({"health": {**HTTP, "url": "gitea:3000"}}, "x.health.url: 'gitea:3000' is not a URL"),
        (
            {"health": {**HTTP, "url": "http://x:99999/"}},
            "x.health.url: 'http://x:99999/' has something else than a port after its host. Ports go from 1 to 65535.",
        ),
        ({"health": {**HTTP, "url": "http://x:0/"}}, "after its host. Ports go from 1 to 65535."),
        ({"docker": {**DOCKER, "ports": ["80:65536"]}}, "'80:65536' has a port that is none: they go from 1 to 65535."),
        (
            {"binary": {"command": "x", "env": {"BIG": "x" * 140_000}}},
            "env.BIG: is too long for an environment variable: 136 KiB. With its name it has 128 KiB at most. Put it",
        ),
        (
            {"docker": {**DOCKER, "env": {f"V{number}": "x" * 100_000 for number in range(20)}}},
            "x.deployment.docker.env: is too large for an environment: 1953 KiB. It has 1536 KiB at most.",
        ),
        ({"health": {**HTTP, "interval": 0}}, "x.health.interval: 0 is not above zero"),
        ({"health": {**HTTP, "timeout": -1}}, "x.health.timeout: -1 is not above zero"),
        ({"health": {**HTTP, "retries": 0}}, "x.health.retries: 0 is too small. The least is 1."),
        ({"health": {**HTTP, "start_period": -1}}, "x.health.start_period: -1 is too small. The least is 0."),
        ({"health": {**HTTP, "success_threshold": 0}}, "x.health.success_threshold: 0 is too small"),
        ({"health": {**HTTP, "expected_status": [20]}}, "x.health.expected_status[0]: 20 is not an HTTP status"),
        ({"health": {**HTTP, "method": "get it"}}, "x.health.method: 'get it' is not an HTTP method"),
        ({"health": {**HTTP, "headers": {"A": "b\nc"}}}, "x.health.headers.A: has a value that no header may have"),
        ({"health": {"type": "tcp", "port": 70000}}, "x.health.port: 70000 is not a port"),
        ({"health": {"type": "command", "command": []}}, "x.health.command: is empty"),
        ({"health": {"type": "file", "path": "x"}}, "x.health.path: 'x' is not an absolute path"),
        ({"verify": [{**DNS, "name": "a..b"}]}, "x.verify[0].name: 'a..b' is not a DNS name"),
        ({"verify": [{**DNS, "expected_address": "a"}]}, "x.verify[0].expected_address: 'a' is not an IP address"),
        ({"startup": {"timeout": 0}}, "x.startup.timeout: 0 is not above zero"),
        ({"startup": {"stop_timeout": -1}}, "x.startup.stop_timeout: -1 is too small"),
        ({"startup": {"limits": {"burst": 0}}}, "x.startup.limits.burst: 0 is too small"),
        ({"startup": {"limits": {"interval": 0}}}, "x.startup.limits.interval: 0 is not above zero"),
        ({"startup": {"limits": {"delay": 9, "max_delay": 8}}}, "x.startup.limits.max_delay: 8 is too small"),
        (
            {"startup": {"stop_signal": "SIGTREM"}},
            "stop_signal: 'SIGTREM' is not a signal. Did you mean SIGTERM?",
        ),
        ({"resources": {"cpu": 0}}, "x.resources.cpu: 0 is not above zero"),
        ({"resources": {"memory": "much"}}, "x.resources.memory: 'much' is not an amount of memory. E.g. 512m, 2g,"),
        ({"resources": {"memory": 0}}, "x.resources.memory: '0' is not an amount of memory"),
        ({"resources": {"open_files": 0}}, "x.resources.open_files: 0 is too small"),
        ({"secrets": {"a b": {}}}, "x.secrets.a b: is not the name of a secret"),
        ({"secrets": {"a": {"length": 1}}}, "x.secrets.a.length: 1 is too small. The least is 8."),
        ({"secrets": {"a": {"length": 5000}}}, "x.secrets.a.length: 5000 is too long"),
        ({"secrets": {"a": {"format": "htpasswd", "user": "u"}}}, "x.secrets.a.of: names no password of this service"),
        ({"secrets": {"p": {}, "a": {"format": "htpasswd", "of": "p"}}}, "x.secrets.a.user: is missing"),
        (
            {"secrets": {"p": {"format": "hex", "length": 40}, "a": {"format": "htpasswd", "of": "p", "user": "u"}}},
            "x.secrets.a.of: p is longer than the 72 characters",
        ),
        ({"config": [{"dest": "/a"}]}, "x.config[0]: needs either template or content, and not both"),
        ({"config": [{"dest": "/a", "content": "", "template": "t"}]}, "x.config[0]: needs either template or content"),
        (
            {"config": [{"dest": "/a", "content": "", "mode": "rw"}]},
            "config[0].mode: 'rw' is not a file's permissions",
        ),
        (
            {"config": [{"dest": "/a", "content": "1"}, {"dest": "/a", "content": "2"}]},
            "config[1].dest: /a is written",
        ),
    ],
)
def test_a_definition_that_makes_no_sense_is_told_with_path_and_remedy(service, settings, message):
    faults = [str(problem) for problem in definition_problems(service("x", **settings))]
    assert len(faults) == 1
    assert message in faults[0]


def test_the_block_of_the_mode_must_be_there(service):
    definition = service("x", binary={"command": "x"}, docker=DOCKER)
    broken = replace(definition, deployment=replace(definition.deployment, mode="kubernetes"))
    assert "\n".join(map(str, definition_problems(broken))) == (
        "x.deployment.kubernetes: is missing, although the mode is kubernetes. "
        "Add the block, or choose a mode that x has: binary, docker."
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"binary": {"command": "/usr/bin/x", "download": DOWNLOAD}, "resources": {"memory": "1.5G", "cpu": 0.5}},
        {"docker": {**DOCKER, "ports": ["8000-8001:80"], "replicas": 2, "volumes": ["data:/x", "/a:/b:ro"]}},
        {
            "docker": {**DOCKER, "healthcheck": True},
            "health": {"type": "command", "command": ["true"], "inside": True},
        },
        {"remote": {"url": "postgres://db.example/main"}, "verify": [DNS, HTTP]},
        {"remote": {"url": HTTPS, "token": "${secret.x.token}"}, "secrets": {"token": {"environment": "TOKEN"}}},
        {"remote": {"url": "http://127.0.0.1:8200", "token": "${secret.x.token}"}},
        {"secrets": {"p": {}, "line": {"format": "htpasswd", "of": "p", "user": "admin"}}},
        {"health": {**HTTP, "headers": {"Authorization": "Bearer ${secret.x.token}"}}},
        {"bind_address": "::1", "startup": {"stop_signal": "SIGINT", "stop_timeout": 0}},
    ],
)
def test_a_definition_that_makes_sense_has_no_faults(service, settings):
    assert definition_problems(service("x", **settings)) == []


def test_a_name_is_one_that_hosts_and_folders_can_have(service):
    for name in ("Gitea", "-x", "", "a.b", "x" * 64):
        assert len(definition_problems(service(name, binary={"command": "x"}))) == 1


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:7-alpine",
        "library/redis",
        "localhost/app_1:dev",
        "localhost:5000/a/b__c/d--e.f:V1.2_x",
        "docker.gitea.com/gitea:1.27.3-rootless",
        "ghcr.io/project-zot/zot@sha256:" + "0" * 64,
        "Registry.example/app:1@sha256:" + "a" * 64,
        "[fd00::1]:5000/app",
        "sha256:" + "b" * 64,
    ],
)
def test_names_of_images_are_those_that_engines_take(service, image):
    assert definition_problems(service("x", docker={"image": image})) == []
