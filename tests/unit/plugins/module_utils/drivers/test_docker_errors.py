# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import docker.errors
import pytest
import requests
import urllib3.exceptions
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_errors import (
    EngineError,
    engine_errors,
    explain,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem

PORT = "Stop what uses it, or set deployment.services[web].port."
IMAGE = "Pull or build it first, or set docker.pull of web to missing."
NAME = "Remove it, or set deployment.project to another name."


# The words of Docker 20.10 and Podman 4.3.
@pytest.mark.parametrize(
    ("text", "why", "remedy"),
    [
        (
            "driver failed on endpoint p-web (deb03d): Bind for 127.0.0.1:3000 failed: port is already allocated",
            "port 3000 of 127.0.0.1 is already taken",
            PORT,
        ),
        (
            "Error starting userland proxy: listen tcp4 127.0.0.1:3000: bind: address already in use",
            "port 3000 of 127.0.0.1 is already taken",
            PORT,
        ),
        (
            "cannot listen on the TCP port: listen tcp4 127.0.0.1:3000: bind: address already in use",
            "port 3000 of 127.0.0.1 is already taken",
            PORT,
        ),
        (
            "rootlessport listen udp 0.0.0.0:53: bind: address already in use",
            "port 53 of 0.0.0.0 is already taken",
            PORT,
        ),
        ("something: address already in use", "a port that it publishes is already taken", PORT),
        ("No such image: r.io:5000/none:1", "the image r.io:5000/none:1 is not on this machine", IMAGE),
        (
            "no such image: docker.io/nope/none:1: image not known",
            "the image docker.io/nope/none:1 is not on this machine",
            IMAGE,
        ),
        (
            'Conflict. The container name "/p-web" is already in use by container "988c". You have to remove it',
            "a container named p-web exists already and was not made for this installation",
            NAME,
        ),
        (
            'creating container storage: the container name "p-web" is already in use by 4bb3',
            "a container named p-web exists already and was not made for this installation",
            NAME,
        ),
        (
            'invalid mount config for type "bind": bind source path does not exist: /nonexist',
            "/nonexist, which is to be mounted, does not exist",
            "Create it, or correct docker.volumes of web.",
        ),
        (
            'unable to start container process: exec: "nonesuch": executable file not found in $PATH: unknown',
            "the image has no command nonesuch",
            "Correct docker.command or docker.entrypoint of web.",
        ),
        (
            'unable to start container process: exec: "/coredns": operation not permitted',
            "the command /coredns may not be run",
            "Correct docker.command, docker.user or docker.cap_add of web.",
        ),
        (
            'unable to start container process: exec: "/etc/passwd": permission denied: unknown',
            "the command /etc/passwd may not be run",
            "Correct docker.command, docker.user or docker.cap_add of web.",
        ),
        (
            "unable to find user nobody2: no matching entries in passwd file",
            "the image has no user nobody2",
            "Correct docker.user of web; a number always works.",
        ),
        (
            "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            "it asks for more cores than the 2 that there are",
            "Lower resources.cpu of web.",
        ),
        (
            "Minimum memory limit allowed is 6MB",
            "its memory limit is too small to start anything",
            "Raise resources.memory of web.",
        ),
        (
            "error setting rlimits for ready process: error setting rlimit type 6: operation not permitted",
            "the container engine may not set its limit of open files here",
            "Remove resources.open_files of web, or allow the engine CAP_SYS_RESOURCE.",
        ),
        (
            'invalid CapAdd: unknown capability: "CAP_NOPE"',
            "there is no capability NOPE",
            "Correct docker.cap_add or docker.cap_drop of web.",
        ),
        (
            'container create: "CAP_NOPE": unknown capability',
            "there is no capability NOPE",
            "Correct docker.cap_add or docker.cap_drop of web.",
        ),
        (
            "could not find an available, non-overlapping IPv4 address pool among the defaults",
            "the engine has no free address range for another network",
            "Remove networks that nothing uses (docker network prune), or widen default-address-pools.",
        ),
        (
            "write /var/lib/docker/x: no space left on device",
            "there is no space left on the engine's disk",
            "Free some, e.g. with docker image prune.",
        ),
        ("network p-net not found", "the network p-net is gone", "Run the installation again; it makes the network."),
        (
            "mount proc: permission denied",
            "the container engine lacks a right that this needs",
            "See the engine's log; run the engine as root, or take the setting back that needs the right.",
        ),
        ("something new\n", "the container engine says: something new", ""),
    ],
)
def test_what_an_engine_says_is_put_in_words_with_the_remedy(text, why, remedy):
    assert explain("web", text) == Problem("web", why, remedy)


def answer(status: int, body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body
    return response


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (docker.errors.APIError("x", answer(500, b""), "it broke"), 500, "it broke"),
        (requests.HTTPError("x", response=answer(409, b'{"message": "in use"}')), 409, "in use"),
        (requests.HTTPError("x", response=answer(502, b"<html>")), 502, "<html>"),
        (requests.ConnectionError("gone"), None, "gone"),
        (requests.ReadTimeout("slow"), None, "slow"),
        (docker.errors.DockerException("odd"), None, "odd"),
        (urllib3.exceptions.ProtocolError("cut off"), None, "cut off"),
    ],
)
def test_whatever_the_client_raises_becomes_one_kind_of_error(error, status, text):
    with pytest.raises(EngineError) as caught, engine_errors("web"):
        raise error
    assert (caught.value.status, caught.value.text) == (status, text)
    assert caught.value.problems[0].what == "web"
