//! `runbook/v1`.

use crate::decode::{Count, DurationText, Entries, Flag, Free, List, Required, Scalar, Text, Written, record, words};
use crate::document::{DeadlineDoc, EnvDoc, GuardDoc, LockDoc, StepDoc};

record! {
    /// A runbook: an operations procedure that can be run, resumed and rolled back.
    pub struct RunbookDoc ("a runbook", later: &[]) {
        /// The format of this file: `runbook/v1`.
        #[schemars(extend("const" = "runbook/v1"))]
        pub schema: Required<Text>,
        /// The id, such as `p0-response`: lower-case letters, digits, `_` and `-`, beginning with a letter.
        #[schemars(extend("pattern" = "^[a-z][a-z0-9_-]{0,63}$"))]
        pub id: Required<Text>,
        /// One line that says what it is for.
        pub title: Required<Text>,
        /// Markdown, shown to the person who runs it.
        pub description: Option<Text>,
        /// Who keeps it: a team or a person.
        pub owner: Option<Text>,
        /// How bad the incident is that it answers, such as `P0`.
        pub severity: Option<Text>,
        /// Words to find it by.
        pub tags: Option<List<Text>>,
        /// Where the procedure comes from: the sections of manuals that it implements.
        pub source: Option<List<SourceDoc>>,
        /// Targets as durations, by name, such as `acknowledge` and `resolve`.
        pub sla: Option<Entries<DurationText>>,
        /// What has to be known before a run starts, by name. Scripts get each as an environment variable in upper case.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub params: Option<Entries<ParamDoc>>,
        /// Where secrets are found, by name. Values are read at the start of each attempt and never stored.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub secrets: Option<Entries<SecretDoc>>,
        /// Environment variables for every `run` and `argv`, by name.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<EnvDoc>>,
        /// How many attempts may run at once; 16 where nothing is written.
        pub max_parallel: Option<Count>,
        /// Names that one run at a time holds, on the whole machine: from its first step to its end, `always` included.
        #[schemars(extend("minItems" = 1))]
        pub locks: Option<List<LockDoc>>,
        /// What happens after a step failed; `stop` where nothing is written.
        pub on_failure: Option<OnFailureWord>,
        /// From the first request to cancel to TERM; `10s` where nothing is written.
        pub cancel_grace: Option<DurationText>,
        /// Whether the steps do not wait for each other, unless `needs` says so.
        pub parallel: Option<Flag>,
        /// What is done, in this order unless `needs` or `parallel` says otherwise.
        #[schemars(extend("minItems" = 1))]
        pub steps: Required<List<StepDoc>>,
        /// What is done beside the steps when they have not all settled so long after the start: an incident that escalates by
        /// itself.
        #[schemars(extend("minItems" = 1))]
        pub deadlines: Option<List<DeadlineDoc>>,
        /// What watches the world while the steps go on: a remediation that makes it worse is stopped by itself.
        #[schemars(extend("minItems" = 1))]
        pub guards: Option<List<GuardDoc>>,
        /// What is done at the end of every run, also after a failure, a rollback or a cancel; one after the other,
        /// whatever became of the one before.
        #[schemars(extend("minItems" = 1))]
        pub always: Option<List<StepDoc>>,
        /// What a run hands on when it has succeeded, by name: `steps.<id>.outputs.<name>` of a step that runs this runbook.
        /// Texts may hold `{{ … }}`.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub outputs: Option<Entries<Free>>,
    }
}

record! {
    /// A section of a manual.
    pub struct SourceDoc ("a source", later: &[]) {
        /// The name of the manual.
        pub manual: Required<Text>,
        /// The heading within it.
        pub section: Required<Text>,
    }
}

record! {
    /// A param: a value that has to be known before a run starts.
    pub struct ParamDoc ("a param", later: &[]) {
        /// The type of its value.
        pub kind: Required<ParamType> = "type",
        /// The only values it may have.
        #[schemars(extend("minItems" = 1))]
        pub choices: Option<List<Free>> = "enum",
        /// Whether a run needs a value; `false` where nothing is written.
        pub required: Option<Flag>,
        /// The value when none is given.
        pub default: Option<Free>,
        /// What it means, for the person who is asked for it.
        pub description: Option<Text>,
    }
}

words! {
    /// The type of a param.
    pub enum ParamType ("the type of a param", later: &[]) {
        /// Text.
        String = "string",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A duration such as `5m`; scripts get it in seconds.
        Duration = "duration",
        /// A list; scripts get it as JSON.
        List = "list",
        /// A map; scripts get it as JSON.
        Object = "object",
    }
}

words! {
    /// What happens after a step failed.
    pub enum OnFailureWord ("what happens after a failure", later: &[]) {
        /// Nothing more starts, and the run ends as failed.
        Stop = "stop",
        /// Nothing more starts, and what succeeded is undone.
        Rollback = "rollback",
        /// Nothing more starts, and a person says what follows: retry, skip, mark done, roll back, or end it.
        Ask = "ask",
    }
}

record! {
    /// Where a secret is found: one of these.
    #[schemars(extend("oneOf" = [{"required": ["env"]}, {"required": ["file"]}, {"required": ["command"]}]))]
    #[schemars(extend("dependentRequired" = {"timeout": ["command"]}))]
    pub struct SecretDoc ("a secret", later: &[]) {
        /// The environment variable, of the one who starts the run, that holds it.
        pub env: Option<Text>,
        /// The file that holds it; one newline at its end is not part of it.
        pub file: Option<Written>,
        /// A program and its arguments, without a shell: what it prints is the value; one newline at its end is not part
        /// of it. It runs in the folder of the run with the environment of the one who starts or resumes it.
        #[schemars(extend("minItems" = 1))]
        pub command: Option<List<Scalar>>,
        /// How long `command` may take; `10s` where nothing is written.
        pub timeout: Option<DurationText>,
    }
}
