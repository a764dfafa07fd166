# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets are missing, and values for them. Values stay in memory; who calls marks them ``no_log``."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import SecretSpec, ServiceRegistry
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import generate as generate_value

# Each request with a password costs the server one hash: 2^10 rounds take some 50 ms, the default 2^12 four times that.
_BCRYPT_ROUNDS = 10


def missing(
    registry: ServiceRegistry,
    existing: Mapping[str, Mapping[str, str | Secret]],
    *,
    generate: bool,
    env: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Secret]]:
    """Return the secrets that services declare and do not have, by service and name, with new values.

    A line of a password file follows from its password, so it is made whether or not values may be generated, and made
    again when the password is new.

    :param existing: the values there are, by service and name.
    :param generate: the configuration's ``deployment.auto_generate_secrets``.
    :param env: the controller's environment. A secret that comes from there is new when it has another value there;
        where the variable is not set, the value that was given before stays.
    :raises ConfigurationError: secrets are missing and may not be generated, all are named; or a line of a password
        file cannot be made.
    """
    made: dict[str, dict[str, Secret]] = {}
    problems: list[Problem] = []
    for name, service in registry.services.items():
        present = {key: _value(value) for key, value in existing.get(name, {}).items()}
        new: dict[str, Secret] = {}
        for key, spec in service.secrets.items():
            given = (env or {}).get(spec.environment or "")
            if given and given != present.get(key):
                new[key] = Secret(given, _version(existing.get(name, {}).get(key)) + 1)
            elif spec.format == "htpasswd" or key in present:
                continue
            elif generate and spec.environment is None:
                new[key] = Secret(generate_value(spec))
            else:
                problems.append(_not_there(name, key, spec.environment))
        for key, line in _password_lines(name, service.secrets, present, new).items():
            new[key] = Secret(line, _version(existing.get(name, {}).get(key)) + 1)
        if new:
            made[name] = new
    raise_if_any(problems, ConfigurationError)
    return made


def password_line(user: str, password: str) -> str:
    """Return a line of a password file (htpasswd) with the password's bcrypt hash.

    :raises ConfigurationError: bcrypt is not installed, or the password is longer than the 72 bytes that count.
    """
    try:
        import bcrypt
    except ImportError as error:
        why = f"cannot be imported on the controller ({error}), and a password file needs it"
        raise ConfigurationError(Problem("bcrypt", why, "pip install 'bcrypt>=4.1'.")) from None
    encoded = password.encode()
    if len(encoded) > 72:
        raise ConfigurationError(Problem(user, "has a password of more than the 72 bytes that a password file counts"))
    # Servers in Go know the prefix $2y$ by that name; it is the same hash as $2b$.
    hashed = bcrypt.hashpw(encoded, bcrypt.gensalt(_BCRYPT_ROUNDS)).decode()
    return f"{user}:{hashed.replace('$2b$', '$2y$', 1)}"


def _password_lines(
    service: str, specs: Mapping[str, SecretSpec], present: Mapping[str, str], new: Mapping[str, Secret]
) -> dict[str, str]:
    lines: dict[str, str] = {}
    for key, spec in specs.items():
        source = spec.of or ""
        if spec.format != "htpasswd" or (key in present and source not in new):
            continue
        password = new[source].value if source in new else present.get(source)
        if password is not None:
            lines[key] = password_line(spec.user or service, password)
    return lines


def _value(value: str | Secret) -> str:
    return value.value if isinstance(value, Secret) else value


def _version(value: str | Secret | None) -> int:
    return value.version if isinstance(value, Secret) else 0 if value is None else 1


def _not_there(service: str, name: str, variable: str | None) -> Problem:
    if variable is not None:
        why = f"the environment variable {variable}, which it is taken from, is not set"
        return Problem(f"{service}.secrets.{name}", why, f"Set {variable} where the installation is run.")
    return Problem(
        f"{service}.secrets.{name}",
        "there is no such secret, and none may be generated",
        f"Put it into secrets/{service}.json of the work dir, or set deployment.auto_generate_secrets to true.",
    )
