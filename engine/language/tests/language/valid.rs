//! What is valid, and the plan that it becomes.

use runbook_language::{SourceFile, load_runbook};

use crate::{EVERY_KEY, environment};

#[test]
fn every_key_becomes_a_plan() {
    let loaded = load_runbook(&SourceFile::new("every-key.yaml", EVERY_KEY), Some(&environment()))
        .unwrap_or_else(|wrong| panic!("{}", wrong.to_text(Default::default())));
    assert_eq!(loaded.warnings.to_string(), "");
    loaded.plan.check().expect("the engine takes it");
    insta::assert_snapshot!("every_key", serde_json::to_string_pretty(&loaded.plan).expect("a plan has a JSON form"));
}
