//! The filters, tests and functions that there are. The reference in `docs/` is made from these tables.

use minijinja::{Environment, Error, Value, filters as builtin, tests};

use super::filters;
use super::operators::{compare, contains, fail};

/// A filter, test or function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// How it is called.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// An expression that uses it.
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub gives: &'static str,
}

/// Filters whose answer may be nothing, when what they look through is empty.
pub(super) fn may_find_nothing(name: &str) -> bool {
    matches!(name, "first" | "last" | "min" | "max")
}

/// Defines a table together with the function that registers all that it lists.
macro_rules! table {
    (
        $(#[$doc:meta])* $table:ident, $register:ident by $add:ident;
        $($name:literal = $function:expr, $about:literal, $example:literal => $gives:literal;)*
    ) => {
        $(#[$doc])*
        pub const $table: &[Named] =
            &[$(Named { name: $name, about: $about, example: $example, gives: $gives }),*];

        /// Registers all of the table.
        pub(super) fn $register(env: &mut Environment<'_>) {
            $(env.$add($name, $function);)*
        }
    };
}

table! {
    /// Every filter, `value | filter(arguments)`.
    FILTERS, register_filters by add_filter;
    "abs" = builtin::abs, "The number without its sign.", "-3 | abs" => "3";
    "basename" = filters::basename, "The last part of a path.", "'/var/log/app.log' | basename" => "\"app.log\"";
    "bool" = filters::bool, "`true` or `false` from the text that says so; `default=` stands in for any other.", "'True' | bool" => "true";
    "capitalize" = filters::capitalize, "The text with a large first letter and small others.", "'api GATEWAY' | capitalize" => "\"Api gateway\"";
    "default" = filters::default, "Another value where there is none, which may be `none`; with `true` as second argument also for empty ones.", "none | default('eu')" => "\"eu\"";
    "dirname" = filters::dirname, "The folder part of a path.", "'/var/log/app.log' | dirname" => "\"/var/log\"";
    "first" = filters::first, "The first item of a list.", "['a', 'b'] | first" => "\"a\"";
    "float" = filters::float, "A number from a text; `default=` stands in for what is none.", "'2.5' | float" => "2.5";
    "fromjson" = filters::fromjson, "The value that a JSON text describes.", "('{\"a\": 1}' | fromjson).a" => "1";
    "int" = filters::int, "A whole number from a text or number; `default=` stands in for what is none.", "'42' | int" => "42";
    "items" = builtin::items, "The pairs of key and value of an object, as lists.", "{'a': 1} | items" => "[[\"a\",1]]";
    "join" = filters::join, "The items of a list as one text, with another text between them.", "[1, true, 'x'] | join(', ')" => "\"1, true, x\"";
    "last" = filters::last, "The last item of a list.", "['a', 'b'] | last" => "\"b\"";
    "length" = builtin::length, "How many characters, items or keys there are.", "['a', 'b'] | length" => "2";
    "lines" = filters::lines, "The lines of a text.", "'a\\nb' | lines" => "[\"a\",\"b\"]";
    "lower" = filters::lower, "The text in small letters.", "'EU' | lower" => "\"eu\"";
    "map" = filters::map, "A filter applied to each item, or an attribute of each.", "[{'id': 1}, {'id': 2}] | map(attribute='id')" => "[1,2]";
    "max" = filters::max, "The largest item of a list.", "[1, 3, 2] | max" => "3";
    "min" = filters::min, "The smallest item of a list.", "[2, 1, 3] | min" => "1";
    "ms" = filters::ms, "The milliseconds of a duration.", "'1m30s' | ms" => "90000";
    "reject" = filters::reject, "The items that do not pass a test.", "[1, 2, 3] | reject('gt', 2)" => "[1,2]";
    "rejectattr" = filters::rejectattr, "The objects whose attribute does not pass a test.", "[{'up': true}, {'up': false}] | rejectattr('up', 'true')" => "[{\"up\":false}]";
    "replace" = filters::replace, "The text with one part replaced by another, everywhere.", "'a-b-c' | replace('-', '_')" => "\"a_b_c\"";
    "reverse" = filters::reverse, "The list from its end.", "[1, 2] | reverse" => "[2,1]";
    "round" = builtin::round, "The number rounded to so many places; `ceil` or `floor` as second argument.", "2.45 | round(1, 'floor')" => "2.4";
    "seconds" = filters::seconds, "The seconds of a duration.", "'5m' | seconds" => "300";
    "select" = filters::select, "The items that pass a test.", "[1, 2, 3] | select('odd')" => "[1,3]";
    "selectattr" = filters::selectattr, "The objects whose attribute passes a test.", "[{'up': true}, {'up': false}] | selectattr('up', 'true')" => "[{\"up\":true}]";
    "sort" = filters::sort, "The list in order; `reverse=true`, `attribute='x'`, `case_sensitive=true`.", "[3, 1, 2] | sort" => "[1,2,3]";
    "split" = filters::split, "The parts of a text between another text, or between spaces.", "'a,b' | split(',')" => "[\"a\",\"b\"]";
    "string" = filters::string, "The value as it stands within a text.", "[1, true] | string" => "\"[1,true]\"";
    "sum" = filters::sum, "The sum of a list of numbers, or of an attribute of each.", "[1, 2, 3] | sum" => "6";
    "tojson" = filters::tojson, "The value as JSON, on one line; `true` as argument indents it.", "{'a': [1, none]} | tojson" => "\"{\\\"a\\\":[1,null]}\"";
    "trim" = filters::trim, "The text without spaces, or other characters, at its ends.", "'  a ' | trim" => "\"a\"";
    "unique" = filters::unique, "The list without repeats; `case_sensitive=true`, `attribute='x'`.", "[1, 2, 1] | unique" => "[1,2]";
    "upper" = filters::upper, "The text in large letters.", "'eu' | upper" => "\"EU\"";
    "urlencode" = filters::urlencode, "The text as one segment or argument of a URL; a slash is encoded too.", "'a/b c' | urlencode" => "\"a%2Fb%20c\"";
}

table! {
    /// Every test, `value is test(argument)`; also the ones that `select` and its kin take by name.
    TESTS, register_tests by add_test;
    "boolean" = tests::is_boolean, "It is `true` or `false`.", "false is boolean" => "true";
    "defined" = tests::is_defined, "It is there; an optional param always is, as `none`.", "{'a': 1}.b is defined" => "false";
    "divisibleby" = tests::is_divisibleby, "The number can be divided by another.", "10 is divisibleby(5)" => "true";
    "endingwith" = tests::is_endingwith, "The text ends with another.", "'app.log' is endingwith('.log')" => "true";
    "eq" = |a: &Value, b: &Value| test("==", a, b), "They are equal.", "[1, 2] | select('eq', 2)" => "[2]";
    "even" = tests::is_even, "The number is even.", "2 is even" => "true";
    "false" = tests::is_false, "It is `false`.", "false is false" => "true";
    "ge" = |a: &Value, b: &Value| test(">=", a, b), "It is greater or equal.", "[1, 2] | select('ge', 2)" => "[2]";
    "gt" = |a: &Value, b: &Value| test(">", a, b), "It is greater.", "[1, 2] | select('gt', 1)" => "[2]";
    "in" = |a: &Value, b: &Value| contains(b, a).map_err(fail), "A list, text or object contains it.", "['a', 'b'] | select('in', 'ax')" => "[\"a\"]";
    "integer" = tests::is_integer, "It is a whole number.", "1.5 is integer" => "false";
    "le" = |a: &Value, b: &Value| test("<=", a, b), "It is less or equal.", "[1, 2] | select('le', 1)" => "[1]";
    "lt" = |a: &Value, b: &Value| test("<", a, b), "It is less.", "[1, 2] | select('lt', 2)" => "[1]";
    "mapping" = tests::is_mapping, "It is an object.", "{'a': 1} is mapping" => "true";
    "ne" = |a: &Value, b: &Value| test("!=", a, b), "They are not equal.", "[1, 2] | select('ne', 2)" => "[1]";
    "none" = tests::is_none, "It has no value, as an optional param that was not given.", "none is none" => "true";
    "number" = tests::is_number, "It is a number.", "'1' is number" => "false";
    "odd" = tests::is_odd, "The number is odd.", "2 is odd" => "false";
    "sequence" = tests::is_sequence, "It is a list.", "[1] is sequence" => "true";
    "startingwith" = tests::is_startingwith, "The text starts with another.", "'app.log' is startingwith('app')" => "true";
    "string" = tests::is_string, "It is text.", "'1' is string" => "true";
    "true" = tests::is_true, "It is `true`.", "'true' is true" => "false";
    "undefined" = tests::is_undefined, "It is not there.", "{'a': 1}.b is undefined" => "true";
}

/// Every function. They have no value but in a run, so their examples give what they give when nothing has failed.
pub const FUNCTIONS: &[Named] = &[
    Named {
        name: "always",
        about: "`true`: a step with it in its `if` starts whatever failed before.",
        example: "always()",
        gives: "true",
    },
    Named {
        name: "failure",
        about: "Whether a step before it failed, was cancelled or was blocked.",
        example: "failure()",
        gives: "false",
    },
];

fn test(operator: &str, left: &Value, right: &Value) -> Result<bool, Error> {
    compare(operator, left, right).map_err(|problem| fail(format!("a test {problem}")))
}
