//! `runbook answer`: the values that a step asks for, what became of an interrupted command, or of a manual step.

use std::collections::BTreeMap;

use runbook_core::input::Answer;
use runbook_core::plan::Field;
use runbook_language::parse_param;
use runbook_runtime::exit_code::ExitCode;
use runbook_runtime::status::QuestionStatus;

use crate::context::Context;
use crate::failure::Failure;
use crate::menu::{self, Menu};
use crate::view::answering;
use crate::view::question::Kind;
use crate::view::text::visible_line;

/// Gives the values that a step asks for, or says what became of an interrupted command or a manual step
///
/// Values are given as `name=value`, each of its type. Without any, they are asked for, when there is a terminal.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook answer last ticket=INC-7 hosts=3\n  runbook answer last --done\n  \
    runbook answer 01KB3 restart --took-effect")]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step; may be left out when only one such question is open
    step: Option<String>,
    /// A value that the step asks for
    #[arg(value_name = "NAME=VALUE", conflicts_with_all = ["took_effect", "did_not", "run_again", "done", "not_done"])]
    values: Vec<String>,
    #[command(flatten)]
    what: What,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(clap::Args)]
#[group(multiple = false)]
struct What {
    /// The interrupted command took effect: it counts as done
    #[arg(long)]
    took_effect: bool,
    /// It did not: it counts as failed
    #[arg(long)]
    did_not: bool,
    /// Start it again
    #[arg(long)]
    run_again: bool,
    /// The manual step is done
    #[arg(long)]
    done: bool,
    /// The manual step is not done: it fails
    #[arg(long)]
    not_done: bool,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let Args { run, mut step, mut values, what, reason } = args;
    // No step has a `=` in its name.
    if let Some(value) = step.take_if(|step| step.contains('=')) {
        values.insert(0, value);
    }
    let folder = context.find_any_run(&run)?;
    let (kind, answer) = match what {
        What { took_effect: true, .. } => (Kind::Interrupted, Answer::TookEffect { reason }),
        What { did_not: true, .. } => (Kind::Interrupted, Answer::DidNot { reason }),
        What { run_again: true, .. } => (Kind::Interrupted, Answer::RunAgain { reason }),
        What { done: true, .. } => (Kind::Manual, Answer::Confirm { reason }),
        What { not_done: true, .. } => (Kind::Manual, Answer::Reject { reason }),
        What { .. } => {
            let answer = |question: &QuestionStatus| given(&question.fields, &values, reason);
            return answering::answer_with(&folder, step.as_deref(), &[Kind::Values], answer);
        }
    };
    if !values.is_empty() {
        return Err(Failure::new(ExitCode::Usage, "values answer an `ask` only, without a flag".to_owned()));
    }
    answering::answer(&folder, step.as_deref(), &[kind], answer)
}

/// The values for the fields: as given, or asked for where none is given and there is a terminal.
fn given(fields: &[Field], texts: &[String], reason: Option<String>) -> Result<Answer, Failure> {
    let mut values = BTreeMap::new();
    let mut wrong = vec![];
    for text in texts {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::new(ExitCode::Usage, format!("`{}` is not `name=value`", visible_line(text))));
        };
        match fields.iter().find(|field| field.name == name) {
            None => wrong.push(format!("`{name}` is not asked for")),
            Some(_) if values.contains_key(name) => wrong.push(format!("`{name}` is given twice")),
            Some(field) => match parse_param(&field.param, value) {
                Ok(value) => drop(values.insert(name.to_owned(), value)),
                Err(reason) => wrong.push(format!("`{name}` cannot be used: {reason}")),
            },
        }
    }
    let is_missing =
        |field: &&Field| field.param.required && field.param.default.is_none() && !values.contains_key(&field.name);
    let missing: Vec<&Field> = fields.iter().filter(is_missing).collect();
    if texts.is_empty()
        && let Some(mut menu) = Menu::open("nothing was answered")
    {
        for Field { name, param } in missing {
            values.insert(name.clone(), menu.ask("value", name, param, None)?);
        }
        return Ok(Answer::Values { values, reason });
    }
    let given_wrong = |name: &str| wrong.iter().any(|reason| reason.starts_with(&format!("`{name}`")));
    let missing: Vec<String> = missing
        .into_iter()
        .filter(|field| !given_wrong(&field.name))
        .map(|Field { name, param }| format!("`{name}` is missing: {}", menu::allowed(param)))
        .collect();
    wrong.extend(missing);
    match wrong.is_empty() {
        true => Ok(Answer::Values { values, reason }),
        false => Err(Failure::new(ExitCode::Precondition, visible_line(&wrong.join("; ")))
            .hint("the question is still open; give each value as `name=value`".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::plan::{Param, ParamKind};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn values_are_of_their_types_or_refused_all_at_once() {
        let field = |name: &str, kind, required| {
            let param = Param { kind, choices: vec![], required, default: None, description: None };
            Field { name: name.to_owned(), param }
        };
        let fields = [
            field("ticket", ParamKind::String, true),
            field("hosts", ParamKind::Integer, true),
            field("x", ParamKind::Boolean, false),
        ];
        let given = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            super::given(&fields, &texts, None).map_err(|failure| failure.text())
        };
        let values: BTreeMap<String, Value> =
            [("ticket".to_owned(), json!("7")), ("hosts".to_owned(), json!(7))].into();
        assert_eq!(given(&["ticket=7", "hosts=7"]), Ok(Answer::Values { values, reason: None }));
        let refused = given(&["hosts=many", "y=1"]).unwrap_err();
        for part in [
            "`hosts` cannot be used: `many` is not a whole number",
            "`y` is not asked for",
            "`ticket` is missing: a text",
        ] {
            assert!(refused.contains(part), "{part:?} is missing in {refused}");
        }
        assert!(given(&["ticket"]).is_err());
    }
}
