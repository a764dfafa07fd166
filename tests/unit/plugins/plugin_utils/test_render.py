from __future__ import annotations

import json
import re

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.addresses import Address
from ansible_collections.provisioning.platform.plugins.plugin_utils.render import Renderer, TemplateEnvironment
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Undefined

ADDRESSES = {"gitea": Address("127.0.0.1", 3000, "http://127.0.0.1:3000"), "db-main": Problem("db-main", "is shy")}


@pytest.fixture
def render(tmp_path, service):
    web = service("web", port=80, variables={"items": ["a"], "text": "<&>", "self": "me"})
    services = {"web": web, "gitea": service("gitea", ports={"ssh": 22}), "db-main": service("db-main")}

    def reach(name, port):
        if port:
            return Address("127.0.0.1", 2222, "")
        return ADDRESSES.get(name, Address("127.0.0.1", 80, "http://127.0.0.1:80"))

    def secret(names):
        if names != ["password"]:
            raise Undefined(f"web declares no secret {names[0]}", "Did you mean password?")
        return "${secret.web.password}"

    renderer = Renderer(
        web,
        environment=TemplateEnvironment(tmp_path),
        document={"name": "web", "port": 80, "data_dir": "/w/data/web"},
        deployment={"domain": "dev.example", "work_dir": "/w"},
        services=services,
        reach=reach,
        spread=lambda name: [Address("127.0.0.1", number, f"http://127.0.0.1:{number}") for number in (3000, 3001)],
        secret=secret,
    )

    def run(text, name="a.conf.j2"):
        (tmp_path / name).write_text(text)
        return renderer.render(name)

    return run


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("port {{ service.port }}\n", "port 80\n"),
        ("port {{ self.port }} {{ variables.self }}", "port 80 me"),
        ("{{ {'self': 1}['self'] }} {{ service['name'] }}", "1 web"),
        ("{{ variables.text }} {{ variables['items'] | to_json }}", '<&> ["a"]'),
        ("{{ deployment.domain }} {{ work_dir }} {{ self.data_dir }}", "dev.example /w /w/data/web"),
        ("{{ services.gitea.url }} {{ services['gitea'].host }}", "http://127.0.0.1:3000 127.0.0.1"),
        (
            "{{ services.gitea.replicas | map(attribute='url') | join(' ') }}",
            "http://127.0.0.1:3000 http://127.0.0.1:3001",
        ),
        ("{{ services.gitea.port + 1 }} {{ services.gitea.ports.ssh + 1 }}", "3001 2223"),
        ("{{ services.gitea.target() }} {{ services.gitea.target('ssh') }}", "127.0.0.1:3000 127.0.0.1:2222"),
        ("[{{ services.db_main.target() }}] [{{ services.db_main.probe }}]", "[] []"),
        ("{{ services.gitea.annotations | length }} {{ services.gitea.depends_on }}", "0 {}"),
        ("{{ services.db_main.reachable }} {{ services['db-main'].mode }}", "False binary"),
        ("{{ 'gitea' in services }} {{ 'x' in services }} {{ services.x is defined }}", "True False False"),
        ("{% for name in services %}\n{{ name }}\n{% endfor %}\n", "web\ngitea\ndb-main\n"),
        ("  {% if true %}\n  x\n  {% endif %}\n", "  x\n"),
        ("{{ secret.password }} {{ secret['password'] }}", "${secret.web.password} ${secret.web.password}"),
        ("{{ secret.other is defined }}", "False"),
        ("{{ serial }}", "${serial}"),
        ("$HOME ${PATH} {{ '{{' }}", "$HOME ${PATH} {{"),
    ],
)
def test_a_template_sees_its_service_and_its_surroundings(render, template, text):
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{{ nothing }}\n", "a.conf.j2:2: 'nothing' is undefined"),
        ("a\nb\n{{ self.prt }}\n", "a.conf.j2:3: 'dict object' has no attribute 'prt'"),
        ("a\n{% if %}\n", "a.conf.j2:2: Expected an expression"),
        (
            "{{ services.gitaa.url }}",
            "j2:1: there is no service gitaa in this installation. Did you mean gitea?",
        ),
        ("\n{{ services.db_main.url }}", "a.conf.j2:2: db-main: is shy"),
        ("{{ secret.pasword }}", "a.conf.j2:1: web declares no secret pasword. Did you mean password?"),
        ("{{ 1 / 0 }}", "a.conf.j2:1: division by zero"),
        ("{{ 'a' + 1 }}", "a.conf.j2:1: can only concatenate str"),
        ("{{ [][3] }}", "a.conf.j2:1: "),
        ("{% include 'none.j2' %}", "web.config: there is no template none.j2. It is looked for in "),
        ("{% include '../x' %}", "web.config: there is no template ../x"),
        ("{% include 'a.conf.j2' %}", "includes itself without end"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
    ],
)
def test_what_is_wrong_with_a_template_is_told_with_its_line(render, template, message):
    with pytest.raises(ConfigurationError) as caught:
        render(template)
    assert message in str(caught.value)


def test_a_template_that_is_not_text_or_not_there_is_told(render, tmp_path):
    (tmp_path / "binary.j2").write_bytes(b"\xff")
    for template in ("{% include 'binary.j2' %}", "{% extends 'gone.j2' %}"):
        with pytest.raises(ConfigurationError):
            render(template)


def test_an_error_in_an_included_template_is_told_with_that_one(render, tmp_path):
    (tmp_path / "part.j2").write_text("\n\n{{ nothing }}")
    (tmp_path / "bad.j2").write_text("\n{% endif %}")
    for name, where in (("part.j2", "part.j2:3: "), ("bad.j2", "bad.j2:2: ")):
        with pytest.raises(ConfigurationError) as caught:
            render(f"{{% include '{name}' %}}", f"outer-{name}")
        assert where in str(caught.value)


def test_json_keeps_letters_and_placeholders_as_they_are(render):
    text = render("{{ {'a': 'é<', 'b': secret.password} | to_json(indent=2) }}")
    assert json.loads(text) == {"a": "é<", "b": "${secret.web.password}"}
    assert re.search("é<", text)
