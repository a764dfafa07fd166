# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as a client: its settings, and in words why it did not come about."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from ._errors import Problem


@dataclass(frozen=True)
class TlsSettings:
    """How a client speaks TLS.

    :param verify: check the server's certificate.
    :param ca_file: whose certificates are trusted; those that the system trusts when absent.
    :param certificate: the client's own, PEM, with its key where ``key`` is absent.
    :param key: of that certificate, PEM, not encrypted.
    """

    verify: bool = True
    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a connection is made with.

        :raises ValueError: a file cannot be used; the message says which and why.
        """
        if self.verify:
            context = self._trusting()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None:
            self._show(self.certificate, context)
        return context

    def problems(self, what: str) -> list[Problem]:
        """Return why the files cannot be used here.

        :param what: the service or thing that they belong to.
        """
        if self.key is not None and self.certificate is None:
            return [Problem(what, f"has the key {self.key} and no client certificate", "Name the certificate too.")]
        for path in (self.ca_file, self.certificate, self.key):
            if path is not None and not Path(path).exists():
                return [Problem(what, f"the file {path} is not there", "Put it there, or correct its path.")]
        try:
            self.context()
        except ValueError as error:
            return [Problem(what, str(error), "See what is in the file, and who may read it.")]
        return []

    @property
    def _pair(self) -> str:
        return f"{self.certificate} with the key {self.key}" if self.key else str(self.certificate)

    def _show(self, certificate: str, context: ssl.SSLContext) -> None:
        asked = []

        def password() -> str:  # without one of our own, OpenSSL would ask for it at the terminal
            asked.append(True)
            return ""

        try:
            context.load_cert_chain(certificate, self.key, password=password)
        except OSError as error:
            fault = "the key is encrypted" if asked else _fault(error)
            raise ValueError(f"the client certificate {self._pair} cannot be used: {fault}") from error

    def _trusting(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ValueError(f"the CA bundle {self.ca_file} cannot be used: {_fault(error)}") from error


def reason(error: ssl.SSLError, peer: str) -> str:
    """Say in words why TLS with a peer did not come about.

    :param peer: its name or URL.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {peer} is not trusted: {error.verify_message}"
    said = f"{error.reason or ''} {error}".upper().replace("_", " ")
    for mark, words in _WORDS.items():
        if mark in said:
            return f"{peer} {words}"
    return f"{peer} and we could not agree on TLS: {error.reason or error}"


# What OpenSSL 1.1 and 3 call it. The first that matches counts.
_WORDS = {
    "CERTIFICATE REQUIRED": "wants a client certificate",
    "ALERT UNKNOWN CA": "does not trust the client certificate",
    "ALERT BAD CERTIFICATE": "refuses the client certificate, or the lack of one",
    "ALERT CERTIFICATE UNKNOWN": "refuses the client certificate",
    "ALERT CERTIFICATE EXPIRED": "refuses the client certificate: it has expired",
    "ALERT HANDSHAKE FAILURE": "broke the TLS handshake off; it may want a client certificate",
    "WRONG VERSION NUMBER": "does not speak TLS",
    "RECORD LAYER FAILURE": "does not speak TLS",
    "UNSUPPORTED PROTOCOL": "speaks only versions of TLS that are not safe any more",
    "ALERT PROTOCOL VERSION": "does not speak a version of TLS that we do",
    "UNEXPECTED EOF": "closed the connection; it may want a client certificate",
    "EOF OCCURRED": "closed the connection; it may want a client certificate",
}


def _fault(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return (error.strerror or str(error)).lower()
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "it is not PEM, or holds nothing of the kind"
