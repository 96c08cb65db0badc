//! The codes of diagnostics. Each has a page in `docs/diagnostics/`, generated from here, and shown by `runbook explain`.

mod names;
mod order;
mod page;
mod places;
mod plugins;
mod rules;
mod runbooks;
mod secrets;
mod shape;
mod yaml;

use std::fmt;
use std::str::FromStr;

pub use page::Page;

/// Defines the codes from one table.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $module:ident::$page:ident;)*) => {
        /// What kind of mistake a diagnostic is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As people write it, such as `RB0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What there is to say about it.
            pub fn page(self) -> &'static Page {
                match self { $(Self::$variant => &$module::$page,)* }
            }
        }
    };
}

codes! {
    /// This is not YAML.
    Syntax = "RB0001" yaml::SYNTAX;
    /// The file is too large or too deep.
    TooLarge = "RB0002" yaml::TOO_LARGE;
    /// YAML that runbooks do not use.
    Unsupported = "RB0003" yaml::UNSUPPORTED;
    /// The same key twice.
    DoubledKey = "RB0004" yaml::DOUBLED_KEY;
    /// Unknown key.
    UnknownKey = "RB0101" shape::UNKNOWN_KEY;
    /// Missing key.
    MissingKey = "RB0102" shape::MISSING_KEY;
    /// Wrong type.
    WrongType = "RB0103" shape::WRONG_TYPE;
    /// Wrong value.
    WrongValue = "RB0104" shape::WRONG_VALUE;
    /// Not supported by this version.
    NotYet = "RB0105" shape::NOT_YET;
    /// Not a duration.
    Duration = "RB0106" shape::DURATION;
    /// Not an id.
    InvalidId = "RB0107" shape::INVALID_ID;
    /// The same id twice.
    DoubledId = "RB0108" shape::DOUBLED_ID;
    /// Not exactly one action.
    Actions = "RB0109" shape::ACTIONS;
    /// A key that makes no sense here.
    Misplaced = "RB0110" shape::MISPLACED;
    /// Nothing to do.
    Empty = "RB0111" shape::EMPTY;
    /// Unknown step in `needs`.
    UnknownNeed = "RB0112" order::UNKNOWN_NEED;
    /// A step that cannot be waited for.
    UnreachableNeed = "RB0113" order::UNREACHABLE_NEED;
    /// Steps that wait for each other.
    Cycle = "RB0114" order::CYCLE;
    /// Not an expression.
    ExpressionSyntax = "RB0115" names::EXPRESSION_SYNTAX;
    /// Unknown name.
    UnknownName = "RB0116" names::UNKNOWN_NAME;
    /// Unknown step in an expression.
    UnknownStep = "RB0117" names::UNKNOWN_STEP;
    /// A step that may not have ended yet.
    ReadTooEarly = "RB0118" names::READ_TOO_EARLY;
    /// Unknown output.
    UnknownOutput = "RB0119" names::UNKNOWN_OUTPUT;
    /// An output that may be missing.
    UncertainOutput = "RB0120" names::UNCERTAIN_OUTPUT;
    /// Unknown secret.
    UnknownSecret = "RB0121" secrets::UNKNOWN_SECRET;
    /// A secret in an expression.
    SecretInTemplate = "RB0122" secrets::SECRET_IN_TEMPLATE;
    /// A secret where none can go.
    SecretPlace = "RB0123" secrets::SECRET_PLACE;
    /// A reserved environment variable.
    ReservedEnv = "RB0124" secrets::RESERVED_ENV;
    /// Two sources of one environment variable.
    DoubledEnv = "RB0125" secrets::DOUBLED_ENV;
    /// Not the name of an environment variable.
    InvalidEnv = "RB0126" secrets::INVALID_ENV;
    /// An approval without `from`.
    ApprovalFrom = "RB0127" rules::APPROVAL_FROM;
    /// A rollback on a block.
    UndoOfBlock = "RB0128" rules::UNDO_OF_BLOCK;
    /// Both a rollback and irreversible.
    UndoOfIrreversible = "RB0129" rules::UNDO_OF_IRREVERSIBLE;
    /// `every` without `until`.
    EveryWithoutUntil = "RB0130" rules::EVERY_WITHOUT_UNTIL;
    /// A value that does not fit its param.
    ParamValue = "RB0131" rules::PARAM_VALUE;
    /// A case that is never taken.
    ImpossibleCase = "RB0132" rules::IMPOSSIBLE_CASE;
    /// A value without a case.
    MissingCase = "RB0133" rules::MISSING_CASE;
    /// A secret that is never used.
    UnusedSecret = "RB0134" rules::UNUSED_SECRET;
    /// A template in a script.
    TemplateInScript = "RB0135" rules::TEMPLATE_IN_SCRIPT;
    /// A reference without braces.
    Braceless = "RB0136" names::BRACELESS;
    /// A lock that is never free.
    LockedOut = "RB0137" order::LOCKED_OUT;
    /// Unknown runbook.
    UnknownRunbook = "RB0151" runbooks::UNKNOWN_RUNBOOK;
    /// A runbook that cannot be run because of its own errors.
    BrokenRunbook = "RB0152" runbooks::BROKEN_RUNBOOK;
    /// A runbook that runs itself.
    RunbookRunsItself = "RB0153" runbooks::RUNBOOK_RUNS_ITSELF;
    /// Runbooks too deep within each other.
    RunbooksTooDeep = "RB0154" runbooks::RUNBOOKS_TOO_DEEP;
    /// A param that does not fit the runbook that is run.
    ParamOfRunbook = "RB0155" runbooks::PARAM_OF_RUNBOOK;
    /// Unknown plugin.
    UnknownPlugin = "RB0161" plugins::UNKNOWN_PLUGIN;
    /// A plugin that cannot be used because of its own errors.
    BrokenPlugin = "RB0162" plugins::BROKEN_PLUGIN;
    /// An input that does not fit the plugin.
    InputOfPlugin = "RB0163" plugins::INPUT_OF_PLUGIN;
    /// A mistake in a `plugin.yaml`.
    PluginFile = "RB0164" plugins::PLUGIN_FILE;
    /// Unknown name of the environment.
    UnknownEnvironmentName = "RB0201" places::UNKNOWN_ENVIRONMENT_NAME;
    /// Unknown service.
    UnknownService = "RB0202" places::UNKNOWN_SERVICE;
    /// A mistake in `runbook.toml`.
    Project = "RB0301" places::PROJECT;
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// There is no code of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no code `{0}`; they run from RB0001 to RB0301")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let same = |code: &&Self| code.as_str().eq_ignore_ascii_case(text.trim());
        Self::ALL.iter().find(same).copied().ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

/// The page of a code, in Markdown: what it means, an example of what is wrong and what is right.
pub fn explain(code: Code) -> String {
    code.page().to_markdown(code)
}
