//! What is shipped is valid, everywhere it can be run.

use runbook_core::digest_of;
use runbook_language::{
    Diagnostics, FoundPlugin, Library, Missing, SourceFile, load_environment, load_runbook_with, peek,
};

use super::room::{Room, files, root, shown};

fn documents(schema: &str) -> Vec<SourceFile> {
    let yaml =
        files(&root().join("runbooks")).into_iter().filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let read = |path: std::path::PathBuf| {
        SourceFile::new(path.display().to_string(), std::fs::read_to_string(&path).expect("a text"))
    };
    let is_wanted = |file: &SourceFile| peek(file.text()).and_then(|about| about.schema).as_deref() == Some(schema);
    yaml.map(read).filter(is_wanted).collect()
}

/// The shipped runbooks, which name each other by their ids.
struct Shelf<'d>(&'d [SourceFile]);

impl Library for Shelf<'_> {
    fn find(&self, name: &str, _: &SourceFile) -> Result<SourceFile, Missing> {
        let is_it = |file: &&SourceFile| peek(file.text()).and_then(|about| about.id).as_deref() == Some(name);
        let missing = || Missing { message: format!("there is no runbook `{name}`"), help: None };
        self.0.iter().find(is_it).cloned().ok_or_else(missing)
    }

    fn plugin(&self, name: &str, _: &SourceFile) -> Result<FoundPlugin, Missing> {
        let path = root().join("plugins").join(name).join("plugin.yaml");
        let missing = |_| Missing { message: format!("there is no plugin `{name}`"), help: None };
        let text = std::fs::read_to_string(&path).map_err(missing)?;
        let (digest, files) = (digest_of(&text), [("plugin.yaml".to_owned(), false)].into());
        Ok(FoundPlugin {
            file: SourceFile::new(path.display().to_string(), text),
            folder: name.to_owned(),
            digest,
            files,
        })
    }
}

#[test]
fn every_file_is_valid_and_warns_of_nothing() {
    let room = Room::as_shipped();
    let output = room.run(&["validate", "runbooks"], 0);
    let count = files(&root().join("runbooks")).len();
    assert_eq!(shown(&output).trim(), format!("{count} files are valid"));
}

#[test]
fn every_runbook_fits_every_environment() {
    let (runbooks, environments) = (documents("runbook/v1"), documents("environment/v1"));
    assert!(runbooks.len() >= 3 && !environments.is_empty());
    for file in &environments {
        let environment = load_environment(file).unwrap_or_else(|found| panic!("{found:?}"));
        for runbook in &runbooks {
            let loaded = load_runbook_with(runbook, Some(&environment), &Shelf(&runbooks))
                .unwrap_or_else(|found| panic!("{}: {:?}", runbook.name(), messages(&found)));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        }
    }
}

#[test]
fn a_platform_without_an_alertmanager_a_status_page_or_keys_for_roles_is_none_the_worse() {
    let runbooks = documents("runbook/v1");
    let file = documents("environment/v1").remove(0);
    let optional = ["alertmanager", "restart_alerts", "restart_services", "status_page", "pager_api"];
    let text: String = (file.text().replace("  incident_alerts:\n", "  of_no_use:\n"))
        .replace("  role_keys:\n", "  of_no_use_either:\n")
        .lines()
        .filter(|line| !optional.iter().any(|name| line.starts_with(&format!("  {name}: "))))
        .map(|line| format!("{line}\n"))
        .collect();
    let left_out = file.text().lines().count() - text.lines().count();
    assert_eq!(left_out, optional.len());
    let environment = load_environment(&SourceFile::new("bare.yaml".to_owned(), text));
    let environment = environment.unwrap_or_else(|found| panic!("{:?}", messages(&found)));
    for runbook in &runbooks {
        load_runbook_with(runbook, Some(&environment), &Shelf(&runbooks))
            .unwrap_or_else(|found| panic!("{}: {:?}", runbook.name(), messages(&found)));
    }
}

/// What is wrong, without the texts of all files.
fn messages(found: &Diagnostics) -> Vec<&str> {
    found.iter().map(|one| one.message.as_str()).collect()
}
