//! Calls of plugins: their inputs are held against their schema before anything starts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Deciding;
use super::scope::Locals;
use crate::evaluate::EvaluateError;
use crate::plan::{EnvSource, PluginCall, Template};
use crate::rendered::{Rendered, RenderedSource};
use crate::units::StepIx;

impl Deciding<'_> {
    /// What a step that uses a plugin will do.
    pub(super) fn prepare_plugin(
        &self,
        at: StepIx,
        call: &PluginCall,
        locals: &Locals,
    ) -> Result<Rendered, EvaluateError> {
        let Some(plugin) = self.plan().plugins.get(&call.plugin) else {
            return Err(EvaluateError(format!("the plugin `{}` is missing", call.name)));
        };
        let (mut inputs, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (name, source) in &call.with {
            match source {
                EnvSource::Secret { name: of, prefix } => {
                    let secret = RenderedSource::Secret { name: of.clone(), prefix: prefix.clone() };
                    secrets.insert(name.clone(), secret);
                }
                EnvSource::Template(template) => {
                    let value = self.render(at, template, locals);
                    let value = value.map_err(|error| EvaluateError(format!("`with.{name}`: {error}")))?;
                    inputs.insert(name.clone(), value);
                }
            }
        }
        // An input that has no value is not given: the plugin, or its schema, says what follows.
        inputs.retain(|_, value| !value.is_null());
        let all: Map<String, Value> = inputs.clone().into_iter().collect();
        self.evaluate
            .schema(&plugin.inputs, &Value::Object(all))
            .map_err(|error| EvaluateError(format!("the inputs of `{}`: {error}", call.name)))?;
        let value = |(name, template): (&String, &Template)| Ok((name.clone(), self.render(at, template, locals)?));
        let outputs = call.outputs.iter().map(value).collect::<Result<_, EvaluateError>>()?;
        let (name, plugin, operation) = (call.name.clone(), call.plugin.clone(), call.operation);
        Ok(Rendered::Plugin { name, plugin, operation, inputs, secrets, outputs })
    }
}
