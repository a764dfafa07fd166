# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's own services: orchestrator, control center and MCP server, each a console script.

They serve ``/health``, ``/metrics`` and a read view of the platform, taken from the engine. Here nothing is imported at
once that a command does not need: they are started by the dozen, and what starts fast is found healthy fast.
"""
