from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.steps import installation_steps


@pytest.mark.parametrize(("platform", "deploy"), [("Docker", "deploy-docker"), ("OrbStack", "deploy-orbstack")])
def test_there_are_seven_steps_and_the_fifth_names_the_platform(platform, deploy):
    steps = installation_steps(platform)
    assert [step.name for step in steps] == [
        "validate-prerequisites",
        "create-work-directory",
        "generate-secrets",
        "generate-configuration",
        deploy,
        "wait-for-services",
        "verify-deployment",
    ]
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6, 7]
