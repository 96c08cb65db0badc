//! One step, and what can be said of it.

use crate::decode::{
    Count, Decode, DurationText, Entries, ExpressionText, Failures, Flag, Free, List, Name, Required, Scalar, Text,
    Written, record, words,
};
use crate::diagnostic::Collector;
use crate::document::{AskDoc, AssertDoc, DoneWhenDoc, EnvDoc, HttpDoc, LockDoc, NeedsDoc, WaitDoc};
use crate::yaml::{Kind, Node};

record! {
    /// One step: exactly one action, and what is to be known about it.
    #[schemars(extend("oneOf" = [
        {"required": ["run"]}, {"required": ["argv"]}, {"required": ["http"]}, {"required": ["assert"]}, {"required": ["set"]},
        {"required": ["wait"]}, {"required": ["manual"]}, {"required": ["ask"]}, {"required": ["runbook"]}, {"required": ["uses"]}, {"required": ["steps"]}, {"required": ["switch"]}
    ]))]
    pub struct StepDoc ("a step", later: &[]) {
        /// The id, unique in the runbook: lower-case letters, digits and `_`, beginning with a letter.
        pub id: Required<Name>,
        /// One line for people; the id where nothing is written.
        pub title: Option<Text>,
        /// More for people, in Markdown.
        pub description: Option<Text>,
        /// The steps that must be done before this one, instead of the one written before it. `[]` starts at once;
        /// `{any: 2, of: [a, b, c]}` as soon as two of them are done.
        pub needs: Option<NeedsDoc>,
        /// An expression; when it is false the step is skipped. With `failure()` or `always()` it is also asked after a
        /// failure.
        pub condition: Option<ExpressionText> = "if",

        /// An expression whose value is a list: the action, or block, is repeated for each item of it, one after the other.
        /// `if`, `needs`, `approval` and `on_failure` are about the loop as a whole, all else about one item.
        pub for_each: Option<ExpressionText>,
        /// With `for_each`: what an item is called in expressions; `item` where nothing is written. `index` counts from 1.
        pub as_name: Option<Name> = "as",
        /// With `for_each`: how many items at once; 1 where nothing is written.
        pub max_parallel: Option<Count>,
        /// With `for_each`: how many items may fail, as a number or as `20%`, before no more begin and the loop fails; 0
        /// where nothing is written.
        pub max_failures: Option<Failures>,

        /// Action: a script for a shell. Its text is never templated; values reach it as environment variables.
        pub run: Option<Written>,
        /// The shell of `run`: `bash`, `sh` or a path; `bash` where nothing is written.
        pub shell: Option<Text>,
        /// Action: a program and its arguments, without a shell. Each may hold `{{ … }}`.
        #[schemars(extend("minItems" = 1))]
        pub argv: Option<List<Scalar>>,
        /// Action: an HTTP request.
        pub http: Option<HttpDoc>,
        /// Action: expressions that must hold.
        pub assert: Option<AssertDoc>,
        /// Action: values for later steps, by name. Texts may hold `{{ … }}`.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub set: Option<Entries<Free>>,
        /// Action: a pause, for a duration or until a time.
        pub wait: Option<WaitDoc>,
        /// Action: something that a person does and confirms. May hold `{{ … }}`.
        pub manual: Option<Written>,
        /// Action: values that a person gives. They are the outputs of the step, each with its type.
        pub ask: Option<AskDoc>,
        /// Action: another runbook, as a child run with a record of its own: its id, or its path from this file.
        pub runbook: Option<Text>,
        /// Action: a plugin, by its id, or by the path of its folder from this file, such as `./plugins/slack`.
        pub uses: Option<Text>,
        /// For `runbook`: the values of its params, by name; for `uses`: what the plugin takes. Texts may hold `{{ … }}`. A secret
        /// goes to what the plugin takes as one: `{secret: name}`.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub with: Option<Entries<Free>>,
        /// Action: a block of steps.
        #[schemars(extend("minItems" = 1))]
        pub steps: Option<List<StepDoc>>,
        /// For `steps`: what runs, one step after the other, when one of them failed. If all of it succeeds, so has the block.
        #[schemars(extend("minItems" = 1))]
        pub rescue: Option<List<StepDoc>>,
        /// For `steps`: what runs at the end of the block, whatever happened in it, also when the run is cancelled. Each step
        /// runs whatever became of the one before; one that fails fails the block.
        #[schemars(extend("minItems" = 1))]
        pub always: Option<List<StepDoc>>,
        /// Action: an expression whose value picks one of `cases`.
        pub switch: Option<ExpressionText>,
        /// For `switch`: the steps for each value.
        pub cases: Option<Entries<List<StepDoc>>>,
        /// For `switch`: the steps for any other value. Without it another value fails the step.
        #[schemars(extend("minItems" = 1))]
        pub default: Option<List<StepDoc>>,
        /// For `steps`: whether they do not wait for each other, unless `needs` says so. With `for_each`: whether the items do
        /// not.
        pub parallel: Option<Flag>,

        /// Environment variables for `run` or `argv`, by name; they go before those of the runbook.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<EnvDoc>>,
        /// The folder that `run` or `argv` runs in; the one that the run was started in where nothing is written.
        pub dir: Option<Written>,
        /// Values for later steps: names that the script writes to `$RUNBOOK_OUTPUT`, or names with templates over
        /// `stdout`, `stderr`, `exit_code`, `response` and `outputs`; of a block, over the steps in it.
        pub outputs: Option<OutputsDoc>,
        /// How long one attempt may take; with `until`, the whole poll; for `manual`, until a person confirms.
        pub timeout: Option<DurationText>,
        /// From TERM to KILL when an attempt is ended; `10s` where nothing is written.
        pub kill_grace: Option<DurationText>,
        /// How a failed attempt is repeated.
        pub retry: Option<RetryDoc>,
        /// An expression over the result; the action is repeated until it holds.
        pub until: Option<ExpressionText>,
        /// With `until`: from one poll to the next; `5s` where nothing is written.
        pub every: Option<DurationText>,
        /// What says that nothing is left to do: an expression, or a script that only looks. It is asked before the approval,
        /// before each attempt, and about an attempt that was interrupted; a step that is done succeeds as `already done`.
        pub done_when: Option<DoneWhenDoc>,
        /// Names that one run or step at a time holds, on the whole machine: from the start of this step until it has
        /// ended with all its attempts, and again for its undo.
        #[schemars(extend("minItems" = 1))]
        pub locks: Option<List<LockDoc>>,
        /// Who must agree before the step starts.
        pub approval: Option<ApprovalDoc>,
        /// What happens when nobody can know whether an attempt took effect. `rerun` where nothing is written for GET
        /// and HEAD, `assert`, `set` and `read_only` steps; else `ask`.
        pub on_interrupt: Option<OnInterruptWord>,
        /// Whether the action changes nothing, so that it may be repeated without a question.
        pub read_only: Option<Flag>,
        /// `continue`: a failure of this step counts as done, and does not fail the run. `ask`: a person says what follows
        /// on it.
        pub on_failure: Option<OnStepFailureWord>,
        /// How the step is undone when the run is rolled back; where nothing is written, a child run is rolled back, too.
        pub rollback: Option<Box<UndoDoc>>,
        /// Says that there is no way to undo it; of a child run that it is left as it is.
        pub irreversible: Option<Flag>,
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        T::decode(node, found).map(Box::new)
    }
}

record! {
    /// How failed attempts are repeated.
    pub struct RetryDoc ("`retry`", later: &[]) {
        /// Attempts in all: 3 means three runs.
        pub max_attempts: Required<Count>,
        /// From a failure to the next attempt; `1s` where nothing is written.
        pub delay: Option<DurationText>,
        /// Whether the delay stays or doubles; `constant` where nothing is written.
        pub backoff: Option<BackoffWord>,
        /// With `exponential`: the delay never grows beyond this.
        pub max_delay: Option<DurationText>,
        /// Which failures are repeated; all where nothing is written.
        pub on: Option<RetryOnDoc>,
    }
}

record! {
    /// Which failures are repeated. With both keys, a failure that fits one of them is.
    #[schemars(extend("minProperties" = 1))]
    pub struct RetryOnDoc ("`retry.on`", later: &[]) {
        /// The exit codes of `run` or `argv` after which there is another attempt.
        #[schemars(extend("minItems" = 1, "items" = {"type": "integer", "minimum": 1, "maximum": 255}))]
        pub exit_codes: Option<List<Count>>,
        /// An expression over `exit_code`, `stdout` and `stderr`, or `response`; what is not known is `none` or empty.
        pub condition: Option<ExpressionText> = "if",
    }
}

words! {
    /// How the delay between attempts grows.
    pub enum BackoffWord ("the backoff", later: &[]) {
        /// It stays the same.
        Constant = "constant",
        /// It doubles each time.
        Exponential = "exponential",
    }
}

record! {
    /// Who must agree before a step starts.
    pub struct ApprovalDoc ("`approval`", later: &[]) {
        /// Roles or login names, of which one suffices.
        #[schemars(required, extend("minItems" = 1))]
        pub from: Option<List<Text>>,
        /// How many people must agree; 1 where nothing is written. Somebody who agrees twice counts once.
        pub min: Option<Count>,
        /// Whether the approval of the person who started the run does not count.
        pub exclude_initiator: Option<Flag>,
        /// How long the question stays open; without it, until it is answered.
        pub timeout: Option<DurationText>,
        /// What happens then; `reject` where nothing is written.
        pub on_timeout: Option<OnTimeoutWord>,
        /// With `on_timeout: escalate`: the roles or login names that may answer, too, when nobody did in time.
        #[schemars(extend("minItems" = 1))]
        pub escalate_to: Option<List<Text>>,
        /// Shown with the question. May hold `{{ … }}`.
        pub message: Option<Written>,
    }
}

words! {
    /// What happens when nobody answers in time.
    pub enum OnTimeoutWord ("what happens when nobody answers", later: &[]) {
        /// It counts as a no.
        Reject = "reject",
        /// Those in `escalate_to` may answer, too, and the question stays open as long again; then it counts as a no.
        Escalate = "escalate",
    }
}

words! {
    /// What happens to an attempt whose fate is unknown.
    pub enum OnInterruptWord ("what happens after an interruption", later: &[]) {
        /// It is started again.
        Rerun = "rerun",
        /// A person is asked.
        Ask = "ask",
        /// It counts as failed.
        Fail = "fail",
    }
}

words! {
    /// What a failure of a step means.
    pub enum OnStepFailureWord ("what a failure of a step means", later: &[]) {
        /// It counts as done.
        Continue = "continue",
        /// The run fails, and a person says what follows, whatever the runbook's own `on_failure` says.
        Ask = "ask",
    }
}

record! {
    /// How a step is undone: one action of `run`, `argv`, `http`, `manual` or `uses`.
    #[schemars(extend("oneOf" = [
        {"required": ["run"]}, {"required": ["argv"]}, {"required": ["http"]}, {"required": ["manual"]}, {"required": ["uses"]}
    ]))]
    pub struct UndoDoc ("`rollback`", later: &["runbook", "ask", "done_when"]) {
        /// A script for a shell.
        pub run: Option<Written>,
        /// The shell of `run`: `bash`, `sh` or a path; `bash` where nothing is written.
        pub shell: Option<Text>,
        /// A program and its arguments, without a shell.
        #[schemars(extend("minItems" = 1))]
        pub argv: Option<List<Scalar>>,
        /// An HTTP request.
        pub http: Option<HttpDoc>,
        /// Something that a person does and confirms. May hold `{{ … }}`.
        pub manual: Option<Written>,
        /// A plugin, by its id or folder. Without a rollback of its own a step is undone by the plugin that it uses, if that
        /// can.
        pub uses: Option<Text>,
        /// For `uses`: what the plugin takes.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub with: Option<Entries<Free>>,
        /// Environment variables for `run` or `argv`, by name.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<EnvDoc>>,
        /// The folder that `run` or `argv` runs in.
        pub dir: Option<Written>,
        /// After which end of the step there is something to undo; `[succeeded]` where nothing is written.
        #[schemars(extend("minItems" = 1))]
        pub when: Option<List<UndoWhenWord>>,
        /// How long one attempt may take.
        pub timeout: Option<DurationText>,
        /// From TERM to KILL when an attempt is ended; `10s` where nothing is written.
        pub kill_grace: Option<DurationText>,
        /// How a failed attempt is repeated.
        pub retry: Option<RetryDoc>,
        /// What happens when nobody can know whether an attempt took effect.
        pub on_interrupt: Option<OnInterruptWord>,
    }
}

words! {
    /// After which end of a step there is something to undo.
    pub enum UndoWhenWord ("when there is something to undo", later: &[]) {
        /// After it succeeded.
        Succeeded = "succeeded",
        /// After it failed, or was killed.
        Failed = "failed",
    }
}

/// Values for later steps.
#[derive(Clone, Debug)]
pub enum OutputsDoc {
    /// Names that the script writes to `$RUNBOOK_OUTPUT`.
    Names(List<Name>),
    /// Names with templates.
    Templates(Entries<Free>),
}

impl Decode for OutputsDoc {
    fn decode(node: &Node, found: &mut Collector) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => Entries::decode(node, found).map(Self::Templates),
            Kind::List(_) => List::decode(node, found).map(Self::Names),
            _ => {
                crate::decode::wrong_type(node, "a list of names, or a map of names and templates", found);
                None
            }
        }
    }
}

impl schemars::JsonSchema for OutputsDoc {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Outputs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = generator.subschema_for::<List<Name>>();
        schemars::json_schema!({"anyOf": [
            names,
            {"type": "object", "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"}},
        ]})
    }
}
