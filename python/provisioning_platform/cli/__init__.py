# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``provisioning``, with which people and scripts operate an installed platform.

``app`` knows the names of all commands; the modules ``*_commands`` hold their options and are imported when one of
theirs is called, as is all that a command needs beyond that.
"""
