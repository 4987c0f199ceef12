"""The project: its teams, what they declare, where it runs in Dagster, and its clock."""

from feature_assets.project.declarations import Declarations, load_declarations
from feature_assets.project.teams import declare_teams

__all__ = ["Declarations", "declare_teams", "load_declarations"]
