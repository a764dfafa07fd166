from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution, member
from hypothesis import given, settings
from hypothesis import strategies as st

VARIABLES = {
    "port": 8080,
    "hosts": ["a", "b"],
    "name": "web-${var.port}",
    "twice": "${var.name}/${var.name}",
    "loop": "${var.pool}",
    "pool": "x${var.loop}",
    "nested": {"deep": True},
    "empty": None,
}


def substitution(env=None):
    return Substitution(
        env or {},
        {
            "var": lambda names, path: member(VARIABLES, names, "variable"),
            "secret": lambda names, path: "${secret.a.b}",
        },
        final=frozenset({"secret"}),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${TOKEN}", "t0ken"),
        ("Bearer ${TOKEN}!", "Bearer t0ken!"),
        ("${MISSING:-8080}", "8080"),
        ("${EMPTY:-used}", "used"),
        ("[${EMPTY}]", "[]"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a $5 b}", "a $5 b"),
        ("${var.port}", 8080),
        ("port ${var.port}", "port 8080"),
        ("${var.hosts}", ["a", "b"]),
        ("hosts ${var.hosts}", 'hosts ["a", "b"]'),
        ("${var.nested.deep} ", "true "),
        ("${var.nothing:-fallback}", "fallback"),
        ("${var.twice}", "web-8080/web-8080"),
        ("$${TOKEN}", "${TOKEN}"),
        ("a $${x} ${TOKEN}", "a ${x} t0ken"),
        ("cost: 5$", "cost: 5$"),
        ("$(command) $HOME {x}", "$(command) $HOME {x}"),
        ("${secret.b}", "${secret.a.b}"),
        ("${var.empty}", None),
    ],
)
def test_placeholders_are_replaced(text, value):
    replaced = substitution({"TOKEN": "t0ken", "EMPTY": ""})
    assert replaced.apply(text, "x") == value
    assert replaced.problems == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${TOKEN}", "a.b: ${TOKEN}: the environment variable TOKEN is not set. Set it, or write ${TOKEN:-default}."),
        ("${var.prt}", "a.b: ${var.prt}: there is no variable prt. Did you mean port?"),
        ("${var.nested.x}", "a.b: ${var.nested.x}: there is no variable nested.x. Known: deep."),
        ("${other.x}", "a.b: ${other.x}: other: is not known here. Here it can begin with var., secret."),
        ("${var.loop}", "var.loop -> var.pool -> var.loop: these refer to each other without end"),
        ("${", "a.b: ${ is not a placeholder. Write ${NAME} or ${NAME:-default}; a plain ${ is written $${."),
        ("${a b}", "a.b: ${a b} is not a placeholder"),
        ("${}", "a.b: ${} is not a placeholder"),
        ("${my-var}", "is not the name of an environment variable"),
    ],
)
def test_what_cannot_be_resolved_is_named_with_its_place(text, message):
    replaced = substitution()
    replaced.apply({"b": text}, "a")
    assert message in "\n".join(map(str, replaced.problems))


def test_each_fault_is_kept_and_the_rest_is_replaced():
    replaced = substitution({"A": "1"})
    assert replaced.apply({"a": ["${X}", "${A}"], "b": "${Y}"}, "") == {"a": ["${X}", "1"], "b": "${Y}"}
    assert [problem.what for problem in replaced.problems] == ["a[0]: ${X}", "b: ${Y}"]


def test_a_value_of_the_environment_is_used_as_it_is():
    assert substitution({"A": "${var.port}"}).apply("${A}", "x") == "${var.port}"


def test_an_error_of_a_scope_is_told_with_the_placeholder():
    def refuse(names, path):
        raise ConfigurationError(Problem("gitea", "cannot be reached", "Publish it."))

    replaced = Substitution({}, {"service": refuse})
    replaced.apply("${service.gitea.url:-x}", "a")
    assert [str(problem) for problem in replaced.problems] == [
        "a: ${service.gitea.url}: gitea: cannot be reached. Publish it."
    ]


@pytest.mark.parametrize("form", ["${{var.a{0}}}${{var.a{0}}}", ["${{var.a{0}}}", "${{var.a{0}}}"]])
def test_names_that_double_each_other_thirty_times_are_refused_in_time(form):
    def written(level):
        return form.format(level) if isinstance(form, str) else [item.format(level) for item in form]

    variables = {"a0": "x", **{f"a{level}": written(level - 1) for level in range(1, 31)}}
    replaced = Substitution({}, {"var": lambda names, path: member(variables, names, "variable")})
    replaced.apply("${var.a30}", "a")
    assert replaced.problems


@given(
    st.recursive(
        st.text(alphabet="${}:-.avr \n\\", max_size=20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=40, deadline=None)
def test_no_text_ends_in_a_traceback(value):
    substitution().apply(value, "x")


@given(st.text())
def test_a_text_without_placeholders_stays_as_it_is(text):
    assert substitution().apply(text.replace("${", "$"), "x") == text.replace("${", "$")
