//! What a step, or its undo, does.

use std::collections::BTreeMap;

use runbook_core::plan::{Action, Argv, Ask, Check, Expression, Field, Http, HttpBody, Script, Template, Wait};
use runbook_core::units::parse_duration;

use super::Lowering;
use super::site::Site;
use super::template::literal_text;
use crate::check::params;
use crate::code::Code;
use crate::decode::{Entries, Free, List, Scalar, Text, Written};
use crate::document::{AskDoc, AssertDoc, EnvDoc, HttpDoc, ParamType, UndoDoc, WaitDoc};
use crate::yaml::Node;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What a template within a script would begin with. Other programs use `{{` too: `docker ps --format '{{.Names}}'`.
const TEMPLATE_ROOTS: [&str; 5] = ["params.", "environment.", "steps.", "run.", "secrets."];

/// The parts of an action on a command.
pub(crate) struct Command<'d> {
    pub(crate) env: Option<&'d Entries<EnvDoc>>,
    pub(crate) dir: Option<&'d Written>,
    pub(crate) shell: Option<&'d Text>,
}

impl<'d> Lowering<'d, '_> {
    /// The action of a step; none when there is none or it cannot be used, which has been reported.
    pub(crate) fn action(&mut self, at: usize) -> Option<Action> {
        let doc = self.outline.items[at].doc;
        let site = Site::step(at);
        let command = Command { env: doc.env.as_ref(), dir: doc.dir.as_ref(), shell: doc.shell.as_ref() };
        // With two actions, all are looked at; which one is kept does not matter, since that is an error.
        let actions = [
            doc.run.as_ref().map(|text| self.script(text, &command, &site)),
            doc.argv.as_ref().map(|argv| self.argv(argv, &command, &site)),
            doc.http.as_ref().map(|http| self.http(http, &site)),
            doc.assert.as_ref().map(|assert| self.assert(assert, &site)),
            doc.set.as_ref().map(|values| self.set(values, &site)),
            doc.wait.as_ref().map(|wait| self.wait(wait, &site)),
            doc.manual.as_ref().map(|text| self.filled(text, &site).map(Action::Manual)),
            doc.ask.as_ref().map(|ask| self.ask(ask, &site)),
            doc.runbook.as_ref().map(|name| self.runbook(at, name, &site)),
            doc.uses.as_ref().map(|name| {
                let used = self.uses[at].clone()?;
                self.uses(&used, name, doc.with.as_ref(), &site)
            }),
        ];
        actions.into_iter().flatten().next().flatten()
    }

    fn ask(&mut self, doc: &AskDoc, site: &Site) -> Option<Action> {
        let prompt = doc.prompt.get().and_then(|prompt| self.filled(prompt, site));
        let entries = doc.fields.get()?;
        if entries.items.is_empty() {
            self.found.error(Code::Empty, entries.span, "nothing is asked for").help("add a field, or use `manual`");
        }
        let mut lowered = params::lower(Some(entries), self.found);
        let names = entries.items.iter().map(|entry| &entry.key.value);
        let fields = names.filter_map(|name| Some(Field { name: name.clone(), param: lowered.remove(name)? }));
        Some(Action::Ask(Ask { fields: fields.collect(), prompt: prompt? }))
    }

    /// The action of an undo.
    pub(crate) fn undo_action(&mut self, at: usize, doc: &'d UndoDoc, site: &Site) -> Option<Action> {
        let command = Command { env: doc.env.as_ref(), dir: doc.dir.as_ref(), shell: doc.shell.as_ref() };
        let actions = [
            doc.run.as_ref().map(|text| self.script(text, &command, site)),
            doc.argv.as_ref().map(|argv| self.argv(argv, &command, site)),
            doc.http.as_ref().map(|http| self.http(http, site)),
            doc.manual.as_ref().map(|text| self.filled(text, site).map(Action::Manual)),
            doc.uses.as_ref().map(|name| {
                let used = self.undo_uses[at].clone()?;
                if used.child.is_some() {
                    self.found
                        .error(
                            Code::Misplaced,
                            name.span,
                            "a plugin of steps is no rollback: nobody could undo a half of it",
                        )
                        .help("use a plugin that is a program, or write the action here");
                }
                self.uses(&used, name, doc.with.as_ref(), site)
            }),
        ];
        actions.into_iter().flatten().next().flatten()
    }

    pub(crate) fn script(&mut self, text: &'d Written, command: &Command<'d>, site: &Site) -> Option<Action> {
        if text.text().trim().is_empty() {
            self.found.error(Code::WrongValue, text.0.span, "the script is empty");
        }
        if let Some((offset, len)) = find_template(text.text()) {
            let span = text.0.part(self.found.file(), offset, len);
            self.found
                .warning(Code::TemplateInScript, span, "the text of a script is never templated: this runs as it is written")
                .help("give the value a name under `env` and read it as \"$NAME\"; params are there by their name in upper case");
        }
        if let Some(shell) = command.shell {
            let name = &shell.value;
            if !matches!(name.as_str(), "bash" | "sh") && !name.starts_with('/') {
                self.found
                    .error(Code::WrongValue, shell.span, format!("`{name}` is not a shell that is known here"))
                    .help("write `bash`, `sh` or the full path of another");
            }
        }
        let (env, dir) = self.command(command, site);
        let shell = command.shell.map_or_else(|| "bash".to_owned(), |shell| shell.value.clone());
        Some(Action::Run(Script { text: text.text().to_owned(), shell, env, dir }))
    }

    fn argv(&mut self, argv: &'d List<Scalar>, command: &Command<'d>, site: &Site) -> Option<Action> {
        if argv.empty {
            self.found
                .error(Code::Empty, argv.span, "there is no program to start")
                .help("the first item is the program");
        }
        let items: Vec<Option<Template>> = argv.items.iter().map(|item| self.scalar(&item.0, site)).collect();
        if let Some(first) = items.first().and_then(Option::as_ref).and_then(literal_text)
            && (first.trim().is_empty() || first.contains(char::is_whitespace) && items.len() == 1)
        {
            let span = argv.items[0].0.span;
            self.found
                .error(Code::WrongValue, span, format!("`{first}` is not the name of a program"))
                .help("one item for each word, such as `[systemctl, restart, engine]`; a command line goes to `run`");
        }
        let (env, dir) = self.command(command, site);
        Some(Action::Argv(Argv { argv: items.into_iter().collect::<Option<_>>()?, env, dir }))
    }

    fn command(
        &mut self,
        command: &Command<'d>,
        site: &Site,
    ) -> (BTreeMap<String, runbook_core::plan::EnvSource>, Option<Template>) {
        let env = self.env(command.env, site);
        let dir = command.dir.and_then(|dir| self.filled(dir, site));
        (env, dir)
    }

    /// A text that may hold `{{ … }}` and must not be empty.
    fn filled(&mut self, text: &Written, site: &Site) -> Option<Template> {
        if text.text().trim().is_empty() {
            self.found.error(Code::WrongValue, text.0.span, "there is nothing in it");
        }
        self.template(&text.0, site)
    }

    fn http(&mut self, doc: &'d HttpDoc, site: &Site) -> Option<Action> {
        let url = doc.url.get().and_then(|url| self.filled(url, site));
        if let (Some(text), Some(written)) = (url.as_ref().and_then(literal_text), doc.url.get())
            && !text.trim().is_empty()
            && !text.starts_with("http://")
            && !text.starts_with("https://")
        {
            self.found
                .error(Code::WrongValue, written.0.span, format!("`{text}` is not the address of a server"))
                .help("it begins with `https://` or `http://`");
        }
        let method = self.method(doc);
        self.check_headers(doc);
        let headers = self.env(doc.headers.as_ref(), site);
        let json = doc.json.as_ref().map(|json| self.template(&json.0, site).map(HttpBody::Json));
        let text = doc.body.as_ref().map(|body| self.template(&body.0, site).map(HttpBody::Text));
        if let (Some(_), Some(second)) = (doc.place.key("json"), doc.place.key("body")) {
            self.found
                .error(Code::Misplaced, second, "a request has one body, `json` or `body`")
                .help("remove one of them");
        }
        let expect = doc.expect.as_ref().map_or_else(
            || vec![(200, 399)],
            |expect| expect.items.iter().map(|range| (range.from, range.to)).collect(),
        );
        Some(Action::Http(Box::new(Http { method, url: url?, headers, body: json.or(text).flatten(), expect })))
    }

    fn method(&mut self, doc: &HttpDoc) -> String {
        let method = doc.method.as_ref().map_or("GET", |method| method.value.as_str()).to_owned();
        if let Some(written) = &doc.method
            && !METHODS.contains(&method.as_str())
        {
            let upper = method.to_ascii_uppercase();
            let help = if METHODS.contains(&upper.as_str()) {
                format!("write `{upper}`")
            } else {
                crate::suggest::one_of(&METHODS)
            };
            self.found.error(Code::WrongValue, written.span, format!("`{method}` is not a method")).help(help);
        }
        let body = doc.place.key("json").or(doc.place.key("body"));
        if let Some(span) = body
            && matches!(method.as_str(), "GET" | "HEAD")
        {
            self.found
                .error(Code::Misplaced, span, format!("a {method} request has no body"))
                .help("add `method: POST`");
        }
        method
    }

    fn check_headers(&mut self, doc: &HttpDoc) {
        let mut seen: BTreeMap<String, crate::source::Span> = BTreeMap::new();
        for entry in doc.headers.iter().flat_map(|headers| &headers.items) {
            let name = &entry.key.value;
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(token) {
                self.found.error(Code::WrongValue, entry.key.span, format!("`{name}` is not the name of a header"));
            }
            if let Some(first) = seen.insert(name.to_ascii_lowercase(), entry.key.span) {
                self.found
                    .error(Code::WrongValue, entry.key.span, format!("the header `{name}` is already there"))
                    .related(first, "first here")
                    .help("upper and lower case make no difference in headers");
            }
        }
    }

    fn assert(&mut self, doc: &'d AssertDoc, site: &Site) -> Option<Action> {
        if doc.empty {
            self.found.error(Code::Empty, doc.span, "there is nothing to check");
        }
        let checks: Vec<Option<Check>> = doc
            .checks
            .iter()
            .map(|check| {
                let that = check.that.get().and_then(|that| self.expression(&that.0, site));
                let message = check.message.as_ref().and_then(|text| self.template(&text.0, site));
                Some(Check { that: that?, message })
            })
            .collect();
        Some(Action::Assert(checks.into_iter().collect::<Option<_>>()?))
    }

    fn set(&mut self, values: &'d Entries<Free>, site: &Site) -> Option<Action> {
        if values.items.is_empty() {
            self.found.error(Code::Empty, values.span, "there are no values in it");
        }
        Some(Action::Set(self.named(values, site)))
    }

    /// Values by name.
    pub(crate) fn named(&mut self, entries: &'d Entries<Free>, site: &Site) -> BTreeMap<String, Template> {
        let mut lowered = BTreeMap::new();
        for (name, value) in entries.iter() {
            crate::decode::scalars::check_name(&name.value, name.span, self.found);
            if let Some(template) = self.template(&value.0, site) {
                lowered.insert(name.value.clone(), template);
            }
        }
        lowered
    }

    fn wait(&mut self, doc: &WaitDoc, site: &Site) -> Option<Action> {
        let (node, moment): (&Node, bool) = match doc {
            WaitDoc::For(node) => (node, false),
            WaitDoc::Until(node) => (node, true),
        };
        let template = self.scalar(node, site)?;
        if let Some(text) = literal_text(&template) {
            if moment && !crate::document::is_moment(text) {
                self.found
                    .error(Code::WrongValue, node.span, format!("`{text}` is not a time"))
                    .help("write it with its offset, such as `2030-01-31T22:00:00Z` or `2030-01-31T23:00:00+01:00`");
            }
            if let (false, Err(error)) = (moment, parse_duration(text)) {
                self.found
                    .error(Code::Duration, node.span, error.to_string())
                    .help("or a time, such as `2030-01-31T22:00:00Z`");
            }
        }
        Some(Action::Wait(if moment { Wait::Until(template) } else { Wait::For(template) }))
    }

    /// Holds the cases of a switch over a param against the values that it may have.
    pub(crate) fn check_cases(&mut self, at: usize, on: &Expression) {
        let doc = self.outline.items[at].doc;
        let Some(name) = on.source.trim().strip_prefix("params.") else { return };
        let entry = self.doc.params.as_ref().and_then(|params| params.entry(name));
        let Some(param) = entry.and_then(|entry| entry.value.as_ref()) else { return };
        let values: Vec<String> = match (&param.choices, param.kind.get()) {
            (Some(choices), _) => {
                let file = self.found.file();
                let texts = choices.items.iter().map(|one| match &one.0.kind {
                    crate::yaml::Kind::Text(text) => text.clone(),
                    _ => file.slice(one.0.span).to_owned(),
                });
                texts.collect()
            }
            (None, Some(ParamType::Boolean)) => vec!["true".to_owned(), "false".to_owned()],
            _ => return,
        };
        let written: Vec<&Text> = doc.cases.iter().flat_map(|cases| &cases.items).map(|entry| &entry.key).collect();
        for case in written.iter().filter(|case| !values.contains(&case.value)) {
            let help = crate::suggest::did_you_mean(&case.value, &values).unwrap_or_else(|| {
                format!("its values are {}", crate::suggest::some_of(values.iter().map(String::as_str)))
            });
            self.found
                .error(Code::ImpossibleCase, case.span, format!("`params.{name}` is never `{}`", case.value))
                .help(help);
        }
        let missing: Vec<&str> = values
            .iter()
            .map(String::as_str)
            .filter(|value| !written.iter().any(|case| case.value == *value))
            .collect();
        if doc.default.is_none() && doc.cases.is_some() && !missing.is_empty() {
            let message = format!("there is no case for {}", crate::suggest::some_of(missing));
            self.found
                .warning(Code::MissingCase, doc.place.key_or_start("cases"), message)
                .help("the step fails for such a value: add the cases, or a `default`");
        }
    }
}

/// Where a script seems to hold a template.
fn find_template(script: &str) -> Option<(usize, usize)> {
    script.match_indices("{{").find_map(|(at, _)| {
        let inner = script[at + 2..].trim_start_matches(['-', ' ']);
        if !TEMPLATE_ROOTS.iter().any(|root| inner.starts_with(root)) {
            return None;
        }
        let len = script[at..].find("}}").map_or(2, |end| end + 2);
        Some((at, len))
    })
}
