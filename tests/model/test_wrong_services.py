"""Feature services that are refused."""

import pytest

from feature_store import Entity, Int64, String
from tests.model.declare import EVENT_COLUMNS, Cases, check, demographics, event_source, purchases, service

PAIR = Entity("pair", keys={"household_id": Int64, "basket_id": Int64}, description="A household and a basket")
DEPARTMENT = Entity("department", keys={"household_id": String}, description="A department, oddly keyed")


def pairs() -> object:
    return purchases(entity=PAIR, name="pairs")


def by_department() -> object:
    columns = {**EVENT_COLUMNS, "household_id": String}
    return purchases(entity=DEPARTMENT, name="by_department", source=event_source(columns=columns))


def two_roles(**columns: str) -> object:
    view = purchases()
    return service(view.all().as_role("payer"), view.all().as_role("owner", **columns))


def spend_and_baskets_apart() -> object:
    view = purchases()
    return service(view["spend"], view["baskets"])


def one_role_two_columns() -> object:
    view = purchases()
    return service(view.all().as_role("a"), view.all().as_role("a", household_id="b"))


WRONG: Cases = {
    "name": (
        lambda: service(purchases().all(), name="Churn"),
        (
            "service Churn/v1: 'Churn' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "a view by a number": (
        lambda: purchases()[5],
        "retail/spend/v1: view[...]=5 is of type int. Instead: select by name: view['a', 'b'].",
    ),
    "a view by a feature": (
        lambda: purchases()[purchases().feature("spend").name, 5],
        "retail/spend/v1: has no feature 5. Instead: use one of spend, baskets, last_purchase.",
    ),
    "an unknown attribute": (
        lambda: purchases().spent,
        (
            "retail/spend/v1: has no attribute 'spent'. Instead: did you mean 'spend'? There are spend, baskets, "
            "last_purchase."
        ),
    ),
    "an alias of nothing": (
        lambda: purchases()["spend"].alias("s"),
        "spend: .alias('s') does not say of which feature. Instead: write .alias(spend='s').",
    ),
    "version": (
        lambda: service(purchases().all(), version=0),
        "service churn/v0: version=0 is not a version. Instead: count versions from 1.",
    ),
    "no description": (
        lambda: service(purchases().all(), description=" "),
        "service churn/v1: has no description. Instead: give description='...'.",
    ),
    "unknown owner": (
        lambda: service(purchases().all(), owner="marketing"),
        (
            "service churn/v1: unknown team 'marketing'. Instead: use one of growth, pricing; or declare "
            "Team('marketing', slack_channel=..., email=...) before it is used."
        ),
    ),
    "unknown reader": (
        lambda: service(purchases().all(), readers=["prizing"]),
        (
            "service churn/v1: unknown team 'prizing'. Instead: did you mean 'pricing'? There are growth, "
            "pricing; or declare Team('prizing', slack_channel=..., email=...) before it is used."
        ),
    ),
    "readers as one string": (
        lambda: service(purchases().all(), readers="pricing"),
        "service churn/v1: readers='pricing' is one string. Instead: write a list: readers=['pricing'].",
    ),
    "no features": (
        service,
        "service churn/v1: reads no features. Instead: select some: features=[view.all()].",
    ),
    "one selection, not a list": (
        lambda: service(features=purchases()["spend"]),
        (
            "service churn/v1: features=ViewSelection(view=<feature view retail/spend/v1: 3 features of household>, "
            "names=('spend',), role=None, columns=None, aliases=None) is of type ViewSelection. Instead: write a "
            "list: features=[view.all()]."
        ),
    ),
    "a view, not a selection": (
        lambda: service(purchases()),
        (
            "service churn/v1: an entry of features=<feature view retail/spend/v1: 3 features of household> is "
            "of type FeatureView. Instead: write view.all() or view['a', 'b'], or request_feature(name, expression)."
        ),
    ),
    "unknown feature": (
        lambda: service(purchases()["spent"]),
        (
            "retail/spend/v1: has no feature 'spent'. Instead: did you mean 'spend'? There are spend, baskets, "
            "last_purchase."
        ),
    ),
    "feature twice": (
        lambda: service(purchases()["spend", "spend"]),
        "retail/spend/v1: feature 'spend' is selected twice. Instead: select it once.",
    ),
    "nothing selected": (
        lambda: service(purchases()[()]),
        "service churn/v1: selects nothing of spend. Instead: name features, or write view.all().",
    ),
    "may not read": (
        lambda: service(purchases().all(), owner="pricing"),
        (
            "service churn/v1: team pricing may not read retail/spend/v1. Instead: ask growth to add 'pricing' "
            "to readers=."
        ),
    ),
    "may not read one of two": (
        lambda: service(purchases(readers=["pricing"]).all(), demographics().all(), owner="pricing"),
        (
            "service churn/v1: team pricing may not read retail/about/v1. Instead: ask growth to add 'pricing' "
            "to readers=."
        ),
    ),
    "same view twice": (
        spend_and_baskets_apart,
        (
            "service churn/v1: reads retail/spend/v1 twice by household_id. Instead: select all its features at "
            "once, or map the keys of a role: .as_role('origin', key='column')."
        ),
    ),
    "two versions of a view": (
        lambda: service(purchases().all(), purchases(version=2).all()),
        (
            "service churn/v1: reads retail/spend/v1 and retail/spend/v2 under one name, spend. Instead: give "
            "each a role of its own."
        ),
    ),
    "roles that read the same columns": (
        two_roles,
        (
            "service churn/v1: reads retail/spend/v1 twice by household_id. Instead: select all its features at "
            "once, or map the keys of a role: .as_role('origin', key='column')."
        ),
    ),
    "one role, two columns": (
        one_role_two_columns,
        "service churn/v1: reads retail/spend/v1 under one name, a__spend. Instead: give each a role of its own.",
    ),
    "role's name": (
        lambda: service(purchases().all().as_role("the__payer")),
        (
            "service churn/v1: 'the__payer' is not a valid name. Instead: use lower-case words joined by single "
            "underscores, e.g. 'spend_7d'."
        ),
    ),
    "role maps no key": (
        lambda: two_roles(owner_id="household_id"),
        "service churn/v1: maps 'owner_id', which is not a key of owner__spend. Instead: use one of household_id.",
    ),
    "role maps to no name": (
        lambda: two_roles(household_id=""),
        "service churn/v1: key column '' is not a valid column name. Instead: use letters, digits and underscores.",
    ),
    "two keys from one column": (
        lambda: service(pairs().all().as_role("x", basket_id="household_id")),
        "service churn/v1: maps several keys of x__pairs to one column. Instead: map each key to its own column.",
    ),
    "a column of two types": (
        lambda: service(purchases().all(), by_department().all()),
        (
            "service churn/v1: column 'household_id' is both String and Int64. Instead: map one of the keys to "
            "another column: .as_role(role, household_id='column')."
        ),
    ),
    "alias of nothing": (
        lambda: service(purchases()["spend"].alias(baskets="n")),
        "service churn/v1: aliases 'baskets', which is not selected of spend. Instead: use one of spend.",
    ),
    "alias no name": (
        lambda: service(purchases()["spend"].alias(spend="spend 7d")),
        "service churn/v1: alias 'spend 7d' is not a valid column name. Instead: use letters, digits and underscores.",
    ),
    "two outputs of one name": (
        lambda: service(purchases()["spend", "baskets"].alias(spend="x", baskets="x")),
        "service churn/v1: two columns would be called 'x'. Instead: give one of them an alias.",
    ),
    "output like a key": (
        lambda: service(purchases().all().alias(spend="household_id")),
        "service churn/v1: two columns would be called 'household_id'. Instead: give one of them an alias.",
    ),
    "output like the key of another view": (
        lambda: service(purchases().all().alias(spend="basket_id"), pairs().all()),
        "service churn/v1: two columns would be called 'basket_id'. Instead: give one of them an alias.",
    ),
    "alias like the status of another output": (
        lambda: service(purchases()["spend", "baskets"].alias(spend="x", baskets="x__status")),
        "service churn/v1: 'x__status' is what the status of 'x' is called. Instead: give one of them another alias.",
    ),
    "alias like the as-of of a view": (
        lambda: service(purchases()["spend", "baskets"].alias(baskets="spend__as_of")),
        (
            "service churn/v1: 'spend__as_of' is what the as-of of retail/spend/v1 is called. Instead: give the "
            "feature another alias."
        ),
    ),
    "alias like another output": (
        lambda: service(purchases()["spend", "baskets"].alias(spend="spend__baskets")),
        "service churn/v1: two columns would be called 'spend__baskets'. Instead: give one of them an alias.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)
