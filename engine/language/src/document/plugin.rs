//! `plugin/v1`.

use crate::decode::{Entries, Flag, Free, List, Required, Scalar, Text, record};
use crate::document::{OnFailureWord, StepDoc};

record! {
    /// A plugin: an action that runbooks use by its name, as a program or as steps.
    #[schemars(extend("oneOf" = [{"required": ["argv"]}, {"required": ["steps"]}]))]
    pub struct PluginDoc ("a plugin", later: &[]) {
        /// The format of this file: `plugin/v1`.
        #[schemars(extend("const" = "plugin/v1"))]
        pub schema: Required<Text>,
        /// The id, by which runbooks use it: lower-case letters, digits and dashes, beginning with a letter.
        #[schemars(extend("pattern" = "^[a-z][a-z0-9-]{0,63}$"))]
        pub id: Required<Text>,
        /// One line for people.
        pub title: Required<Text>,
        /// What it does, and what it needs, in Markdown.
        pub description: Option<Text>,
        /// What its author calls this state of it.
        pub version: Option<Text>,
        /// The JSON Schema of what it takes by `with`: an object. A property with `writeOnly: true` is a secret.
        #[schemars(extend("type" = "object"))]
        pub inputs: Option<Free>,
        /// The JSON Schema of what it hands back: an object.
        #[schemars(extend("type" = "object"))]
        pub outputs: Option<Free>,
        /// A program that speaks the protocol of plugins, and its arguments. What begins with `./` lies beside this file; any
        /// other program is looked for on PATH.
        #[schemars(extend("minItems" = 1))]
        pub argv: Option<List<Scalar>>,
        /// With `argv`: whether a call may be made again with the same idempotency key, and has its effect once. A call that
        /// was interrupted is then made again; else a person is asked.
        pub idempotent: Option<Flag>,
        /// With `argv`: whether it can undo what it did. A step that uses it is then rolled back by it.
        pub undo: Option<Flag>,
        /// Steps, as in a runbook: what it takes are its `params`, and its secrets.
        #[schemars(extend("minItems" = 1))]
        pub steps: Option<List<StepDoc>>,
        /// With `steps`: what happens after one of them failed; `rollback` where nothing is written.
        pub on_failure: Option<OnFailureWord>,
        /// With `steps`: what is done at the end, whatever happened.
        #[schemars(extend("minItems" = 1))]
        pub always: Option<List<StepDoc>>,
        /// With `steps`: the values of its `outputs`, by name. Texts may hold `{{ … }}`.
        pub returns: Option<Entries<Free>>,
    }
}
