"""One folder per team: who it is, its features, the services of its models, and its code location.

``team.py``         the team: its name, Slack channel and address
``features/``       its feature views, one module per theme; ``views`` lists them
``services.py``     what its models read; ``services`` lists them
``definitions.py``  its Dagster code location, made from the two lists

A new team is a new folder and a line in ``workspace.yaml``.
"""

from feature_assets.project.teams import declare_teams

TEAMS = declare_teams(__name__, __path__)
"""Every team by folder name. Declared before any view, since views name other teams as readers."""
