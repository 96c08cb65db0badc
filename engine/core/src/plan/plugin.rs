//! Plugins that are programs: what a plan says of them, and how its steps call them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EnvSource, Plan, Template};
use crate::units::Digest;

/// A plugin, as it was when the runbook was checked. Its files are kept with the run: what was approved is what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// Its id, such as `slack`.
    pub id: String,
    /// What its author calls this state of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The program and its arguments; one that begins with `./` lies in the plugin's folder.
    pub argv: Vec<String>,
    /// The JSON Schema of its inputs, without those that are secrets: an object.
    pub inputs: Value,
    /// The JSON Schema of what it hands back: an object.
    pub outputs: Value,
    /// Whether a call may be made again with the same key, and has its effect once.
    pub idempotent: bool,
}

/// `uses` and `with`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginCall {
    /// How the step names it: an id, or a folder.
    pub name: String,
    /// The plugin, in [`Plan::plugins`].
    pub plugin: Digest,
    /// What it is to do.
    pub operation: Operation,
    /// Its inputs.
    pub with: BTreeMap<String, EnvSource>,
    /// For an undo: what the call that is undone handed back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Template>,
}

/// What a plugin is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// What it is for.
    Run,
    /// Undo a call.
    Undo,
}

impl Plan {
    /// The digests of all plugins that the plan names, with those of its child runs.
    pub fn plugin_digests(&self) -> impl Iterator<Item = &Digest> {
        self.plugins.keys().chain(self.runbooks.values().flat_map(|plan| plan.plugins.keys()))
    }
}
