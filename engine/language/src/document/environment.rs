//! `environment/v1`.

use crate::decode::{DurationText, Entries, Free, List, Required, Scalar, Text, Written, record};
use crate::document::SecretDoc;

record! {
    /// An environment: where and as whom runbooks run.
    pub struct EnvironmentDoc ("an environment", later: &[]) {
        /// The format of this file: `environment/v1`.
        #[schemars(extend("const" = "environment/v1"))]
        pub schema: Required<Text>,
        /// The id, such as `production`: lower-case letters, digits, `_` and `-`, beginning with a letter.
        #[schemars(extend("pattern" = "^[a-z][a-z0-9_-]{0,63}$"))]
        pub id: Required<Text>,
        /// One line that says which platform it is.
        pub title: Option<Text>,
        /// Markdown, for people.
        pub description: Option<Text>,
        /// What expressions see as `environment.<name>`. Texts may hold `{{ services.<name>.url }}`, `.port` and
        /// `.data`, and `{{ run.id }}` and `{{ run.runbook }}`.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub values: Option<Entries<Free>>,
        /// Where secrets are found, by name; they go before those of the runbook. `file` and `command` may hold
        /// `{{ … }}` as `values` do.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub secrets: Option<Entries<SecretDoc>>,
        /// Who holds which role: login names, or `anyone`.
        pub roles: Option<Entries<List<Text>>>,
        /// Who may approve alone, whatever an approval asks for, with `runbook approve --break-glass --reason TEXT`: roles
        /// or login names. Nobody where nothing is written.
        #[schemars(extend("minItems" = 1))]
        pub break_glass: Option<List<Text>>,
        /// Programs that are started before a run, waited for, and stopped after it, by name.
        #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]{0,63}$"}))]
        pub services: Option<Entries<ServiceDoc>>,
    }
}

record! {
    /// A program that is started before a run, waited for, and stopped after it.
    pub struct ServiceDoc ("a service", later: &[]) {
        /// The program and its arguments. Each may hold `{{ service.port }}`, `{{ service.data }}`, `{{ run.id }}`,
        /// `{{ run.runbook }}`, `{{ run.params.<name> }}` and `{{ run.binary }}`.
        #[schemars(extend("minItems" = 1))]
        pub argv: Required<List<Scalar>>,
        /// Its environment variables, by name; values may hold `{{ … }}` as `argv` does.
        #[schemars(extend("propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}))]
        pub env: Option<Entries<Scalar>>,
        /// When it is ready.
        pub ready: Required<ReadyDoc>,
        /// From TERM to KILL when it is stopped; `10s` where nothing is written.
        pub kill_grace: Option<DurationText>,
    }
}

record! {
    /// When a service is ready.
    pub struct ReadyDoc ("`ready`", later: &[]) {
        /// The URL that answers with a status of 200–299 then. May hold `{{ … }}` as `argv` does.
        pub http: Required<Written>,
        /// How long it may take; `30s` where nothing is written.
        pub timeout: Option<DurationText>,
    }
}
