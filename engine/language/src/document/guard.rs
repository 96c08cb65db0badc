//! Probes that look beside the steps, and what follows from what they find.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::decode::{
    Count, Decode, DurationText, Entries, ExpressionText, List, Name, Required, Scalar, Text, Written, record, words,
};
use crate::diagnostic::Collector;
use crate::document::{EnvDoc, HttpDoc, StepDoc};
use crate::yaml::Node;

/// A guard: when it trips and what follows, and its probe.
#[derive(Clone, Debug)]
pub struct GuardDoc {
    /// From one look to the next.
    pub every: Option<DurationText>,
    /// What must not be so.
    pub trip_if: Required<ExpressionText>,
    /// How many looks in a row.
    pub trip_after: Option<Count>,
    /// What follows.
    pub on_trip: Required<OnTripWord>,
    /// Its probe, as a step that is called as it is.
    pub probe: StepDoc,
}

record! {
    /// A guard: a probe that looks again and again while the steps go on, and ends or pauses the run when it finds what
    /// must not be so. A probe changes nothing, and may be repeated at any time.
    #[schemars(extend("oneOf" = [{"required": ["run"]}, {"required": ["argv"]}, {"required": ["http"]}]))]
    pub struct GuardMap ("a guard", later: &[]) {
        /// The id, unique in the runbook like that of a step.
        pub id: Required<Name>,
        /// One line for people; the id where nothing is written.
        pub title: Option<Text>,
        /// More for people, in Markdown.
        pub description: Option<Text>,
        /// From one look to the next, 1s at least; `30s` where nothing is written.
        pub every: Option<DurationText>,
        /// Probe: a script for a shell. Its exit code is something to look at, and no failure.
        pub run: Option<Written>,
        /// The shell of `run`: `bash`, `sh` or a path; `bash` where nothing is written.
        pub shell: Option<Text>,
        /// Probe: a program and its arguments, without a shell.
        #[schemars(extend("minItems" = 1))]
        pub argv: Option<List<Scalar>>,
        /// Probe: an HTTP request. Its status is something to look at, and no failure.
        pub http: Option<HttpDoc>,
        /// Environment variables for `run` or `argv`, by name.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<EnvDoc>>,
        /// The folder that `run` or `argv` runs in.
        pub dir: Option<Written>,
        /// How long one look may take; `10s` where nothing is written.
        pub timeout: Option<DurationText>,
        /// From TERM to KILL when a look is ended; `10s` where nothing is written.
        pub kill_grace: Option<DurationText>,
        /// An expression over `exit_code`, `stdout` and `stderr`, or `response`, and over what the steps came to: what must
        /// not be so. What is not known is `none` or empty.
        pub trip_if: Required<ExpressionText>,
        /// How many looks, one after the other, must find it; 1 where nothing is written.
        pub trip_after: Option<Count>,
        /// What follows then.
        pub on_trip: Required<OnTripWord>,
    }
}

words! {
    /// What follows when a guard trips.
    pub enum OnTripWord ("what follows when a guard trips", later: &[]) {
        /// Nothing more starts, what runs is ended, and the run has failed; `on_failure` says what follows.
        Stop = "stop",
        /// The same, and what succeeded is undone whatever `on_failure` says.
        Rollback = "rollback",
        /// The run is paused until somebody says `continue`: what runs goes on to its end, nothing more starts.
        Pause = "pause",
    }
}

impl Decode for GuardDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        let map = GuardMap::decode(node, found)?;
        let GuardMap { id, title, description, run, shell, argv, http, env, dir, timeout, kill_grace, place, .. } = map;
        let step = StepDoc::default();
        let probe =
            StepDoc { id, title, description, run, shell, argv, http, env, dir, timeout, kill_grace, place, ..step };
        let GuardMap { every, trip_if, trip_after, on_trip, .. } = map;
        Some(Self { every, trip_if, trip_after, on_trip, probe })
    }
}

impl JsonSchema for GuardDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Guard".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<GuardMap>()
    }
}
