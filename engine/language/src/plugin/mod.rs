//! Plugins: what a `plugin.yaml` says, checked.

mod composite;
mod inputs;
mod used;

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::plan::Plugin;
use runbook_core::units::{Digest, SecretName};
use serde_json::{Value, json};

use crate::check::header;
use crate::code::Code;
use crate::decode::Scalar;
use crate::diagnostic::{Collector, Diagnostics};
use crate::document::{PluginDoc, RunbookDoc};
use crate::library::{Children, GivenSecrets, Library};
use crate::load;
use crate::source::SourceFile;
use crate::yaml::Kind;

pub(crate) use inputs::{Inputs, at};
pub(crate) use used::{Used, secret_ref};

/// The name of the file that makes a folder a plugin.
pub const PLUGIN_FILE: &str = "plugin.yaml";

/// A plugin that was found: its text, and what is known of the files beside it.
#[derive(Clone, Debug)]
pub struct FoundPlugin {
    /// Its `plugin.yaml`.
    pub file: SourceFile,
    /// The name of its folder.
    pub folder: String,
    /// The digest of all its files.
    pub digest: Digest,
    /// All its files by their paths within its folder, and whether each can be run.
    pub files: BTreeMap<String, bool>,
}

/// A plugin, checked.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) file: SourceFile,
    pub(crate) digest: Digest,
    pub(crate) inputs: Inputs,
    /// The names of what it hands back, in order.
    pub(crate) outputs: Vec<String>,
    pub(crate) body: Body,
}

/// What a plugin is.
#[derive(Debug)]
pub(crate) enum Body {
    Program { plugin: Box<Plugin>, undoes: bool },
    Steps(Box<RunbookDoc>),
}

/// What a plugin says about itself, for lists.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PluginAbout {
    /// Its id.
    pub id: String,
    /// One line.
    pub title: String,
    /// More.
    pub description: Option<String>,
    /// What its author calls this state of it.
    pub version: Option<String>,
    /// `program` or `steps`.
    pub kind: &'static str,
    /// Whether a call may be made again.
    pub idempotent: bool,
    /// Whether it can undo what it did.
    pub undo: bool,
    /// The JSON Schema of its inputs.
    pub inputs: Value,
    /// The JSON Schema of its outputs.
    pub outputs: Value,
}

/// Reads and checks a plugin, and says what it says about itself.
///
/// # Errors
/// All that is wrong with it, by place.
pub fn load_plugin(
    found_plugin: &FoundPlugin,
    library: &dyn Library,
) -> Result<(PluginAbout, Diagnostics), Diagnostics> {
    let mut found = Collector::new(&found_plugin.file);
    let doc: Option<PluginDoc> = load::read(&found_plugin.file, "plugin/v1", &mut found);
    let about = doc.and_then(|doc| {
        let definition = define(&doc, found_plugin, &mut found)?;
        if let Body::Steps(runbook) = &definition.body {
            let mut children = Children::new(library, None);
            let own = definition.inputs.secrets.iter().map(|name| (name.clone(), SecretName::new(name.clone())));
            let given = GivenSecrets { names: own.collect(), ..GivenSecrets::default() };
            children.enter_with(&found_plugin.file, found_plugin.file.name(), Some(given));
            crate::lower::lower(runbook, None, &mut children, &BTreeSet::new(), &mut found);
            found.of_others(children.found);
        }
        about(&doc, &definition)
    });
    load::finish(about, found)
}

fn about(doc: &PluginDoc, definition: &Definition) -> Option<PluginAbout> {
    let text = |text: &Option<crate::decode::Text>| text.as_ref().map(|text| text.value.clone());
    let (kind, idempotent, undo) = match &definition.body {
        Body::Program { plugin, undoes } => ("program", plugin.idempotent, *undoes),
        // The record of its run knows what was done, and its steps say how they are undone.
        Body::Steps(_) => ("steps", true, true),
    };
    Some(PluginAbout {
        id: doc.id.get()?.value.clone(),
        title: doc.title.get()?.value.clone(),
        description: text(&doc.description),
        version: text(&doc.version),
        kind,
        idempotent,
        undo,
        inputs: definition.inputs.whole.clone(),
        outputs: outputs_schema(doc),
    })
}

/// Checks a plugin by itself; what its steps hold is checked where it is used.
pub(crate) fn define(doc: &PluginDoc, from: &FoundPlugin, found: &mut Collector) -> Option<Definition> {
    header::check_schema(&doc.schema, "plugin/v1", found);
    header::check_id(&doc.id, found);
    header::check_filled(doc.title.get(), found);
    if let Some(id) = doc.id.get().filter(|id| id.value != from.folder) {
        found
            .error(
                Code::PluginFile,
                id.span,
                format!("the folder of the plugin `{}` is called `{}`", id.value, from.folder),
            )
            .help("give both one name: by it runbooks use the plugin");
    }
    let inputs = Inputs::of(doc.inputs.as_ref(), found);
    let outputs = inputs::outputs(doc.outputs.as_ref(), found);
    let body = match (&doc.argv, &doc.steps) {
        (Some(argv), None) => program(doc, argv, &inputs, from, found)?,
        (None, Some(_)) => Body::Steps(Box::new(composite::runbook(doc, &inputs, &outputs, found)?)),
        (Some(_), Some(_)) => {
            let span = doc.place.key_or_start("steps");
            found
                .error(Code::PluginFile, span, "a plugin is a program, or steps, and this has both")
                .help("remove `argv` or `steps`");
            return None;
        }
        (None, None) => {
            // A key that was dropped because its value is unusable has been reported as such.
            if doc.place.key("argv").or(doc.place.key("steps")).is_none() {
                found
                    .error(Code::PluginFile, doc.place.span, "a plugin does nothing without `argv` or `steps`")
                    .help("add `argv: [./program]`, or `steps`");
            }
            return None;
        }
    };
    Some(Definition { file: from.file.clone(), digest: from.digest.clone(), inputs, outputs, body })
}

fn program(
    doc: &PluginDoc,
    argv: &crate::decode::List<Scalar>,
    inputs: &Inputs,
    from: &FoundPlugin,
    found: &mut Collector,
) -> Option<Body> {
    for key in ["on_failure", "always", "returns"] {
        if let Some(span) = doc.place.key(key) {
            found
                .error(Code::PluginFile, span, format!("`{key}` makes no sense with `argv`"))
                .help("it goes with `steps`");
        }
    }
    if argv.empty {
        found.error(Code::Empty, argv.span, "there is no program to start").help("the first item is the program");
    }
    let word = |word: &Scalar| match &word.0.kind {
        Kind::Text(text) => text.clone(),
        _ => from.file.slice(word.0.span).to_owned(),
    };
    for (at, item) in argv.items.iter().enumerate() {
        let text = word(item);
        let Some(own) = text.strip_prefix("./") else { continue };
        match from.files.get(own) {
            None => {
                let help = crate::suggest::did_you_mean(own, from.files.keys())
                    .unwrap_or_else(|| "what begins with `./` lies beside plugin.yaml".to_owned());
                found.error(Code::PluginFile, item.0.span, format!("the plugin has no file `{own}`")).help(help);
            }
            Some(false) if at == 0 => {
                found
                    .error(Code::PluginFile, item.0.span, format!("`{own}` cannot be run"))
                    .help(format!("make it executable: `chmod +x {own}`; or name its interpreter first"));
            }
            Some(_) => {}
        }
    }
    let plugin = Plugin {
        id: doc.id.get()?.value.clone(),
        version: doc.version.as_ref().map(|version| version.value.clone()),
        argv: argv.items.iter().map(word).collect(),
        inputs: inputs.schema.clone(),
        outputs: outputs_schema(doc),
        idempotent: doc.idempotent.as_ref().is_some_and(|flag| flag.value),
    };
    let undoes = doc.undo.as_ref().is_some_and(|flag| flag.value);
    Some(Body::Program { plugin: Box::new(plugin), undoes })
}

/// What a plugin hands back: only what it says, but that need not be all there.
fn outputs_schema(doc: &PluginDoc) -> Value {
    let mut schema = doc.outputs.as_ref().map_or_else(|| json!({}), |outputs| outputs.0.to_json());
    if let Value::Object(schema) = &mut schema {
        schema.entry("type").or_insert_with(|| json!("object"));
        schema.entry("additionalProperties").or_insert_with(|| json!(false));
    }
    schema
}
