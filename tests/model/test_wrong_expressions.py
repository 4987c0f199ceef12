"""Expressions that are refused: types that do not fit, constants that no column can hold, wrong encodings."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest

from feature_store import (
    Array,
    Boolean,
    EmbeddingTable,
    Float32,
    Float64,
    LookupTable,
    String,
    Vector,
    bucketise,
    col,
    cosine,
    count,
    dot,
    embed,
    last,
    lit,
    lookup,
    one_hot,
    ordinal,
    when,
)
from feature_store.dtypes import Bytes
from tests.model.declare import Cases, check, events

DEPARTMENT, QUANTITY, SALES = col("department"), col("quantity"), col("sales_value")
PRIVATE, AT = col("is_private"), col("purchased_at")
NAIVE, A_DATE = datetime(2017, 1, 1), date(2017, 1, 1)
EARLY = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))


def x(expression: object) -> object:
    """Declare one aggregate ``x`` over an expression."""
    return events(x=last(expression, over="7d", description="X"))


def vector(key: object) -> object:
    return embed(key, EmbeddingTable("departments", {"DELI": [1.0, 0.0]}))


def rates(values: object) -> object:
    return LookupTable("rates", values)


def table(vectors: object, name: str = "departments") -> object:
    return EmbeddingTable(name, vectors)


WRONG: Cases = {
    "adds strings": (
        lambda: x(DEPARTMENT + "s"),
        (
            "retail/spend/v1.x: arithmetic needs numbers, not String and String. Instead: use .cast(...) where "
            "the type does not fit."
        ),
    ),
    "adds days to a timestamp": (
        lambda: x(AT + 1),
        (
            "retail/spend/v1.x: arithmetic needs numbers, not Timestamp and Int64. Instead: use .cast(...) where "
            "the type does not fit."
        ),
    ),
    "divides Booleans": (
        lambda: x(PRIVATE / 2),
        (
            "retail/spend/v1.x: division needs numbers, not Boolean and Int64. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "negates a string": (
        lambda: x(-DEPARTMENT),
        "retail/spend/v1.x: arithmetic needs numbers, not String. Instead: use .cast(...) where the type does not fit.",
    ),
    "compares String with Int64": (
        lambda: x(DEPARTMENT == 5),
        "retail/spend/v1.x: cannot compare String with Int64. Instead: use .cast(...) where the type does not fit.",
    ),
    "compares Timestamp with String": (
        lambda: x(AT > "2017-01-01"),
        "retail/spend/v1.x: cannot compare Timestamp with String. Instead: use .cast(...) where the type does not fit.",
    ),
    "compares vectors": (
        lambda: x(vector(DEPARTMENT) == vector(DEPARTMENT)),
        (
            "retail/spend/v1.x: cannot compare Vector[2] with Vector[2]. Instead: use .cast(...) where the type "
            "does not fit."
        ),
    ),
    "compares with null": (
        lambda: x(QUANTITY == None),  # noqa: E711
        "retail/spend/v1.x: a comparison with null is always null. Instead: use is_null(), or ~is_null().",
    ),
    "and without parentheses": (
        lambda: x(QUANTITY & SALES),
        (
            "retail/spend/v1.x: & | ~ need Booleans, not Int64 and Float64. Instead: put comparisons in "
            "parentheses: (col('x') > 0) & (col('y') > 0)."
        ),
    ),
    "not of a number": (
        lambda: x(~QUANTITY),
        (
            "retail/spend/v1.x: & | ~ need Booleans, not Int64. Instead: put comparisons in parentheses: "
            "(col('x') > 0) & (col('y') > 0)."
        ),
    ),
    "or by the keyword": (
        lambda: x(PRIVATE or PRIVATE),
        (
            "an expression over is_private: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "not by the keyword": (
        lambda: x(not PRIVATE),
        (
            "an expression over is_private: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "a chain of comparisons": (
        lambda: x(0 < QUANTITY < 5),
        (
            "an expression over quantity: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "and between comparisons without parentheses": (
        lambda: x(count(where=QUANTITY > 0 & QUANTITY < 5, over="7d", description="X")),
        (
            "an expression over quantity: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "a number and an expression": (
        lambda: x(5 | QUANTITY),
        (
            "retail/spend/v1.x: & | ~ need Booleans, not Int64 and Int64. Instead: put comparisons in "
            "parentheses: (col('x') > 0) & (col('y') > 0)."
        ),
    ),
    "in by the keyword": (
        lambda: x(DEPARTMENT in ["DELI", "DAIRY"]),
        (
            "an expression over department: has no truth value; it is used with and, or, not, in, if, or in a "
            "chain a < b < c. Instead: use & | ~, is_in(...), when(...), and (a < b) & (b < c)."
        ),
    ),
    "when without a condition": (
        lambda: x(when(QUANTITY).then(1).otherwise(0)),
        "retail/spend/v1.x: when(...) needs a Boolean condition, not Int64. Instead: compare something.",
    ),
    "when of two types": (
        lambda: x(when(PRIVATE).then(1).otherwise("no")),
        (
            "retail/spend/v1.x: when(...).then(...).otherwise(...) needs values of one type, not Int64 and "
            "String. Instead: use .cast(...) where the type does not fit."
        ),
    ),
    "fill_null of another type": (
        lambda: x(QUANTITY.fill_null("none")),
        (
            "retail/spend/v1.x: fill_null(...) needs values of one type, not Int64 and String. Instead: use "
            ".cast(...) where the type does not fit."
        ),
    ),
    "always null": (
        lambda: x(when(PRIVATE).then(None).otherwise(None)),
        "retail/spend/v1.x: the value of last is always null. Instead: write an expression that has a type.",
    ),
    "remainder": (
        lambda: x(QUANTITY % 2),
        (
            "an expression over quantity: % is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "power": (
        lambda: x(2**QUANTITY),
        (
            "an expression over quantity: ** is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "absolute value": (
        lambda: x(abs(QUANTITY)),
        (
            "an expression over quantity: abs(...) is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "rounding": (
        lambda: x(round(SALES)),
        (
            "an expression over sales_value: round(...) is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "a letter": (
        lambda: x(DEPARTMENT[0]),
        (
            "an expression over department: [...] is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "unknown method": (
        lambda: x(DEPARTMENT.upper()),
        (
            "an expression over department: .upper is not defined. Instead: use + - * / == != < <= > >= & | ~ "
            ".is_null(...) .is_not_null(...) .fill_null(...) .lower(...) .contains(...) .is_in(...) .cast(...) "
            ".year(...) "
            ".month(...) .day(...) .hour(...) .weekday(...)."
        ),
    ),
    "lower of a number": (
        lambda: x(QUANTITY.lower()),
        "retail/spend/v1.x: lower needs a String, not Int64. Instead: use .cast(...) where the type does not fit.",
    ),
    "contains on a number": (
        lambda: x(QUANTITY.contains("1")),
        "retail/spend/v1.x: contains needs a String, not Int64. Instead: use .cast(...) where the type does not fit.",
    ),
    "contains nothing": (
        lambda: x(DEPARTMENT.contains("")),
        "retail/spend/v1.x: contains got ''. Instead: give the text to look for.",
    ),
    "contains an expression": (
        lambda: x(DEPARTMENT.contains(DEPARTMENT)),
        "retail/spend/v1.x: contains got an expression over department. Instead: give the text to look for.",
    ),
    "year of a string": (
        lambda: x(DEPARTMENT.year()),
        "retail/spend/v1.x: year needs a Timestamp, not String. Instead: use .cast(...) where the type does not fit.",
    ),
    "weekday of a number": (
        lambda: x(QUANTITY.weekday()),
        "retail/spend/v1.x: weekday needs a Timestamp, not Int64. Instead: use .cast(...) where the type does not fit.",
    ),
    "is_in of a float": (
        lambda: x(SALES.is_in([1])),
        (
            "retail/spend/v1.x: is_in needs an Int64 or String, not Float64. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "is_in with other types": (
        lambda: x(DEPARTMENT.is_in(["DELI", 5])),
        "retail/spend/v1.x: is_in on String lists 5. Instead: list values that are String.",
    ),
    "is_in with Booleans": (
        lambda: x(QUANTITY.is_in([True])),
        "retail/spend/v1.x: is_in on Int64 lists True. Instead: list values that are Int64.",
    ),
    "is_in with null": (
        lambda: x(DEPARTMENT.is_in([None])),
        "retail/spend/v1.x: is_in on String lists None. Instead: list values that are String.",
    ),
    "is_in with one string": (
        lambda: x(DEPARTMENT.is_in("DELI")),
        "retail/spend/v1.x: is_in got 'DELI' instead of a list. Instead: write ['DELI'].",
    ),
    "is_in with one number": (
        lambda: x(QUANTITY.is_in(5)),
        "retail/spend/v1.x: is_in got 5 instead of a list. Instead: write [5].",
    ),
    "is_in with null instead of a list": (
        lambda: x(QUANTITY.is_in(None)),
        "retail/spend/v1.x: is_in got None instead of a list. Instead: write a list, which has an order.",
    ),
    "is_in with a set": (
        lambda: x(DEPARTMENT.is_in({"DELI"})),
        "retail/spend/v1.x: is_in got {'DELI'} instead of a list. Instead: write a list, which has an order.",
    ),
    "is_in with nothing": (
        lambda: x(DEPARTMENT.is_in([])),
        "retail/spend/v1.x: is_in lists no value. Instead: list at least one.",
    ),
    "is_in with unhashable values": (
        lambda: x(DEPARTMENT.is_in([["DELI"]])),
        "retail/spend/v1.x: is_in on String lists ['DELI']. Instead: list values that are String.",
    ),
    "is_in beyond Int64": (
        lambda: x(QUANTITY.is_in([2**63])),
        "retail/spend/v1.x: is_in on Int64 lists 9223372036854775808. Instead: list values that are Int64.",
    ),
    "cast to a Python type": (
        lambda: x(QUANTITY.cast(float)),
        "retail/spend/v1.x: cannot cast to <class 'float'>. Instead: use a type of feature_store, e.g. .cast(Float64).",
    ),
    "cast to a name": (
        lambda: x(QUANTITY.cast("Float64")),
        "retail/spend/v1.x: cannot cast to 'Float64'. Instead: use a type of feature_store, e.g. .cast(Float64).",
    ),
    "cast to sketches": (
        lambda: x(DEPARTMENT.cast(Bytes)),
        "retail/spend/v1.x: cannot cast to Bytes. Instead: use a type of feature_store, e.g. .cast(Float64).",
    ),
    "vector of no element": (
        lambda: Vector(0),
        "Vector(0): 0 is not a length. Instead: give a whole number from 1.",
    ),
    "vector of a text": (
        lambda: Vector("3"),
        "Vector('3'): '3' is not a length. Instead: give a whole number from 1.",
    ),
    "vector of half an element": (
        lambda: Vector(2.5),
        "Vector(2.5): 2.5 is not a length. Instead: give a whole number from 1.",
    ),
    "array of vectors": (
        lambda: Array(Vector(3), 2),
        (
            "Array(Vector[3], 2): a slot cannot be Vector[3]. Instead: use one of Int64, Float64, Float32, "
            "Boolean, String, Timestamp."
        ),
    ),
    "array of a Python type": (
        lambda: Array(int, 2),
        (
            "Array(<class 'int'>, 2): a slot cannot be <class 'int'>. Instead: use one of Int64, Float64, Float32, "
            "Boolean, String, Timestamp."
        ),
    ),
    "cast to a vector": (
        lambda: x(QUANTITY.cast(Vector(2))),
        "retail/spend/v1.x: cannot cast Int64 to Vector[2]. Instead: cast to another type.",
    ),
    "cast a float to String": (
        lambda: x(SALES.cast(String)),
        (
            "retail/spend/v1.x: cannot cast Float64 to String: a float has many spellings. Instead: .cast(Int64) "
            "it first, or use bucketise(...)."
        ),
    ),
    "cast a narrow float to String": (
        lambda: x(SALES.cast(Float32).cast(String)),
        (
            "retail/spend/v1.x: cannot cast Float32 to String: a float has many spellings. Instead: .cast(Int64) "
            "it first, or use bucketise(...)."
        ),
    ),
    "cast Boolean to Timestamp": (
        lambda: x(AT.cast(Boolean)),
        "retail/spend/v1.x: cannot cast Timestamp to Boolean. Instead: cast to another type.",
    ),
    "one_hot of a float": (
        lambda: x(one_hot(SALES, [1])),
        (
            "retail/spend/v1.x: one_hot needs an Int64 or String, not Float64. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "one_hot of other types": (
        lambda: x(one_hot(DEPARTMENT, [1, 2])),
        "retail/spend/v1.x: one_hot on String lists 1, 2. Instead: list values that are String.",
    ),
    "one_hot of mixed types": (
        lambda: x(one_hot(QUANTITY, [1, "2"])),
        "retail/spend/v1.x: one_hot on Int64 lists '2'. Instead: list values that are Int64.",
    ),
    "one_hot with a repeated category": (
        lambda: x(one_hot(DEPARTMENT, ["DELI", "DELI"])),
        "retail/spend/v1.x: one_hot lists 'DELI' twice. Instead: list it once.",
    ),
    "one_hot with one string": (
        lambda: x(one_hot(DEPARTMENT, "DELI")),
        "retail/spend/v1.x: one_hot got 'DELI' instead of a list. Instead: write ['DELI'].",
    ),
    "one_hot with a set": (
        lambda: x(one_hot(DEPARTMENT, {"DELI"})),
        "retail/spend/v1.x: one_hot got {'DELI'} instead of a list. Instead: write a list, which has an order.",
    ),
    "one_hot with null instead of categories": (
        lambda: x(one_hot(DEPARTMENT, None)),
        "retail/spend/v1.x: one_hot got None instead of a list. Instead: write a list, which has an order.",
    ),
    "ordinal with a dict": (
        lambda: x(ordinal(DEPARTMENT, {"DELI": 1})),
        "retail/spend/v1.x: ordinal got {'DELI': 1} instead of a list. Instead: write a list, which has an order.",
    ),
    "one_hot of very many categories": (
        lambda: x(one_hot(QUANTITY, range(1001))),
        (
            "retail/spend/v1.x: one_hot lists 1001 values. Instead: list at most 1000, or embed(...) them in shorter "
            "vectors."
        ),
    ),
    "ordinal without categories": (
        lambda: x(ordinal(DEPARTMENT, [])),
        "retail/spend/v1.x: ordinal lists no value. Instead: list at least one.",
    ),
    "ordinal of a Boolean": (
        lambda: x(ordinal(PRIVATE, [1])),
        (
            "retail/spend/v1.x: ordinal needs an Int64 or String, not Boolean. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "a very deep expression": (
        lambda: x(sum([QUANTITY] * 5000)),
        (
            "retail/spend/v1.x: is 5000 operations deep, which is more than 300. Instead: compute parts of it "
            "upstream, or add up many terms in groups: (a + b) + (c + d)."
        ),
    ),
    "bucketise of a string": (
        lambda: x(bucketise(DEPARTMENT, [1])),
        "retail/spend/v1.x: bucketise needs a number, not String. Instead: use .cast(...) where the type does not fit.",
    ),
    "bucketise without boundaries": (
        lambda: x(bucketise(SALES, [])),
        "retail/spend/v1.x: bucketise has no boundaries. Instead: give rising, finite numbers.",
    ),
    "bucketise with one number": (
        lambda: x(bucketise(SALES, 5)),
        "retail/spend/v1.x: bucketise got 5 instead of a list. Instead: write [5].",
    ),
    "bucketise with a set": (
        lambda: x(bucketise(SALES, {5})),
        "retail/spend/v1.x: bucketise got {5} instead of a list. Instead: write a list, which has an order.",
    ),
    "bucketise not rising": (
        lambda: x(bucketise(SALES, [1, 5, 5])),
        "retail/spend/v1.x: bucketise has 5.0 after 5.0. Instead: give rising, finite numbers.",
    ),
    "bucketise with NaN": (
        lambda: x(bucketise(SALES, [1, float("nan")])),
        "retail/spend/v1.x: bucketise has the boundary nan. Instead: give rising, finite numbers.",
    ),
    "bucketise with infinity": (
        lambda: x(bucketise(SALES, [1, float("inf")])),
        "retail/spend/v1.x: bucketise has the boundary inf. Instead: give rising, finite numbers.",
    ),
    "bucketise beyond floats": (
        lambda: x(bucketise(SALES, [1, 10**400])),
        (
            "retail/spend/v1.x: bucketise has the boundary an integer of 1329 bits. Instead: give rising, finite "
            "numbers."
        ),
    ),
    "bucketise with text": (
        lambda: x(bucketise(SALES, [1, "5"])),
        "retail/spend/v1.x: bucketise has the boundary '5'. Instead: give rising, finite numbers.",
    ),
    "embed of another type": (
        lambda: x(vector(QUANTITY)),
        "retail/spend/v1.x: embed on Int64 lists 'DELI'. Instead: list values that are Int64.",
    ),
    "embed of a float": (
        lambda: x(vector(SALES)),
        (
            "retail/spend/v1.x: embed needs an Int64 or String, not Float64. Instead: use .cast(...) where the "
            "type does not fit."
        ),
    ),
    "embed of a dict": (
        lambda: x(embed(DEPARTMENT, {"DELI": [1.0]})),
        (
            "embed(...): table={'DELI': [1.0]} is of type dict. Instead: declare EmbeddingTable(name, vectors) "
            "and give that."
        ),
    ),
    "lookup of another type": (
        lambda: x(lookup(QUANTITY, rates({"DELI": 1.0}))),
        "retail/spend/v1.x: lookup on Int64 lists 'DELI'. Instead: list values that are Int64.",
    ),
    "lookup in an embedding": (
        lambda: x(lookup(DEPARTMENT, table({"DELI": [1.0]}, "d"))),
        (
            "lookup(...): table=EmbeddingTable(name='d', vectors={'DELI': (1.0,)}) is of type EmbeddingTable. "
            "Instead: declare LookupTable(name, values) and give that."
        ),
    ),
    "lookup table empty": (
        lambda: rates({}),
        "lookup table rates: has no values. Instead: give at least one, by key.",
    ),
    "lookup table of mixed keys": (
        lambda: rates({"DELI": 1, 5: 1}),
        "lookup table rates: has keys of type int and str. Instead: use only int or only str keys.",
    ),
    "lookup table of mixed values": (
        lambda: rates({"DELI": 1, "DAIRY": "x"}),
        (
            "lookup table rates: has values of type int and str. Instead: use only numbers, only strings or only "
            "Booleans."
        ),
    ),
    "lookup table with NaN": (
        lambda: rates({"DELI": float("nan")}),
        "lookup table rates: the value nan of 'DELI' is not a finite Float64. Instead: write a finite number.",
    ),
    "dot of a number": (
        lambda: x(dot(vector(DEPARTMENT), SALES)),
        (
            "retail/spend/v1.x: a distance needs two vectors of one length, not Vector[2] and Float64. Instead: "
            "embed(...) the values first."
        ),
    ),
    "cosine of vectors of two lengths": (
        lambda: x(cosine(vector(DEPARTMENT), one_hot(DEPARTMENT, ["a", "b", "c"]))),
        (
            "retail/spend/v1.x: a distance needs two vectors of one length, not Vector[2] and Vector[3]. Instead: "
            "embed(...) the values first."
        ),
    ),
    "bucketise at a text": (
        lambda: x(bucketise(SALES, [QUANTITY, vector(DEPARTMENT)])),
        (
            "retail/spend/v1.x: cannot compare Vector[2] with Float64. Instead: use .cast(...) where the type does not "
            "fit."
        ),
    ),
    "embedding table empty": (
        lambda: table({}),
        "embedding table departments: has no vectors. Instead: give at least one, by key.",
    ),
    "embedding table ragged": (
        lambda: table({"DELI": [1.0, 0.0], "DAIRY": [1.0]}),
        "embedding table departments: has vectors of length 1 and 2. Instead: use one length.",
    ),
    "embedding table of empty vectors": (
        lambda: table({"DELI": []}),
        "embedding table departments: has vectors of length 0. Instead: use one length.",
    ),
    "embedding table of mixed keys": (
        lambda: table({"DELI": [1.0], 5: [1.0]}),
        "embedding table departments: has keys of type int and str. Instead: use only int or only str keys.",
    ),
    "embedding table with NaN": (
        lambda: table({"DELI": [float("nan")]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: "
            "correct it, or leave the key out."
        ),
    ),
    "embedding table beyond Float32": (
        lambda: table({"DELI": [1e300]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: "
            "correct it, or leave the key out."
        ),
    ),
    "embedding table of text": (
        lambda: table({"DELI": ["a"]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: "
            "correct it, or leave the key out."
        ),
    ),
    "embedding table of texts of numbers": (
        lambda: table({"DELI": ["1"]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: correct "
            "it, or leave the key out."
        ),
    ),
    "embedding table of Booleans": (
        lambda: table({"DELI": [True]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: correct "
            "it, or leave the key out."
        ),
    ),
    "embedding table beyond floats": (
        lambda: table({"DELI": [10**400]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: correct "
            "it, or leave the key out."
        ),
    ),
    "embedding table of a number of numpy": (
        lambda: table({"DELI": np.array(1.0)}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: correct "
            "it, or leave the key out."
        ),
    ),
    "embedding table of matrices": (
        lambda: table({"DELI": [[1.0]]}),
        (
            "embedding table departments: the vector of 'DELI' is not of finite Float32 numbers. Instead: "
            "correct it, or leave the key out."
        ),
    ),
    "embedding table of numbers": (
        lambda: table({"DELI": 1.0}),
        ("embedding table departments: the vector of 'DELI'=1.0 is of type float. Instead: give a list of numbers."),
    ),
    "embedding table as a list": (
        lambda: table(["DELI"]),
        (
            "embedding table departments: vectors=['DELI'] is of type list. Instead: give one vector per key: "
            "{'DELI': [0.1, 0.9]}."
        ),
    ),
    "when without otherwise": (
        lambda: x(when(PRIVATE).then(1)),
        (
            "retail/spend/v1.x: the value of last is not an expression but when(...).then(...) without "
            ".otherwise(...). Instead: write an expression such as col('x')."
        ),
    ),
    "embedding table's name": (
        lambda: table({"DELI": [1.0]}, "My table"),
        (
            "embedding table My table: 'My table' is not a valid name. Instead: use lower-case words joined by "
            "single underscores, e.g. 'spend_7d'."
        ),
    ),
    "constant NaN": (
        lambda: x(SALES + float("nan")),
        (
            "retail/spend/v1.x: the constant nan is not a finite Float64. Instead: write a finite number, or "
            "lit(None) for null."
        ),
    ),
    "constant infinite": (
        lambda: x(SALES + float("-inf")),
        (
            "retail/spend/v1.x: the constant -inf is not a finite Float64. Instead: write a finite number, or "
            "lit(None) for null."
        ),
    ),
    "constant beyond Int64": (
        lambda: x(QUANTITY + 2**63),
        (
            "retail/spend/v1.x: the constant 9223372036854775808 does not fit Int64. Instead: write a number from "
            "-2**63 to 2**63 - 1."
        ),
    ),
    "constant below Int64": (
        lambda: x(QUANTITY - (-(2**63) - 1)),
        (
            "retail/spend/v1.x: the constant -9223372036854775809 does not fit Int64. Instead: write a number from "
            "-2**63 to 2**63 - 1."
        ),
    ),
    "constant without a zone": (
        lambda: x(AT > NAIVE),
        (
            "retail/spend/v1.x: the constant 2017-01-01 00:00:00 has no time zone. Instead: write datetime(..., "
            "tzinfo=UTC)."
        ),
    ),
    "constant beyond floats": (
        lambda: x(SALES < 10**400),
        (
            "retail/spend/v1.x: the constant an integer of 1329 bits does not fit Int64. Instead: write a number "
            "from -2**63 to 2**63 - 1."
        ),
    ),
    "constant outside the calendar": (
        lambda: x(AT > EARLY),
        (
            "retail/spend/v1.x: the constant 0001-01-01 00:00:00+05:00 lies outside the years 1 to 9999 of UTC. "
            "Instead: write an instant within them."
        ),
    ),
    "constant integer of numpy": (
        lambda: x(QUANTITY * np.int64(2)),
        "retail/spend/v1.x: a value of type int64 cannot be a constant. Instead: write int(x).",
    ),
    "constant date": (
        lambda: x(AT > A_DATE),
        (
            "retail/spend/v1.x: a value of type date cannot be a constant. Instead: write an int, float, bool, str "
            "or datetime."
        ),
    ),
    "constant Decimal": (
        lambda: x(SALES + lit(Decimal("1.5"))),
        (
            "retail/spend/v1.x: a value of type Decimal cannot be a constant. Instead: write an int, float, bool, "
            "str or datetime."
        ),
    ),
    "constant of numpy": (
        lambda: x(SALES + np.float64(1.5)),
        "retail/spend/v1.x: a value of type float64 cannot be a constant. Instead: write float(x).",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_message(name: str) -> None:
    check(WRONG, name)


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        (QUANTITY + QUANTITY, "Int64"),
        (QUANTITY + SALES, "Float64"),
        (QUANTITY / QUANTITY, "Float64"),
        (QUANTITY == 1.5, "Boolean"),
        (AT.hour(), "Int64"),
        (QUANTITY.fill_null(0.5), "Float64"),
        (when(PRIVATE).then(None).otherwise(DEPARTMENT), "String"),
        (QUANTITY.cast(Float64), "Float64"),
        (QUANTITY + (2**63 - 1), "Int64"),
        (QUANTITY - (-(2**63)), "Int64"),
        (ordinal(DEPARTMENT, ["DELI"]), "Int64"),
        (bucketise(QUANTITY, [0, 1.5]), "Int64"),
        (DEPARTMENT.contains("x") & PRIVATE | ~PRIVATE, "Boolean"),
        (True & PRIVATE, "Boolean"),
        (False | PRIVATE, "Boolean"),
    ],
)
def test_types_of_right_ones(expression: object, dtype: str) -> None:
    assert x(expression).feature("x").dtype.name == dtype
