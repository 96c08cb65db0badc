//! The page of the guide about plugins: what it writes is what runs here.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::text;
use crate::kit::Home;

/// The files that the page writes: each named in bold before its block.
fn files() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/plugins.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut found = vec![];
    for part in page.split("\n**`").skip(1) {
        let Some((name, rest)) = part.split_once("`**\n\n```") else { continue };
        let (_, rest) = rest.split_once('\n').expect("a block");
        let (body, _) = rest.split_once("\n```").expect("its end");
        found.push((name.to_owned(), format!("{body}\n")));
    }
    found
}

#[test]
fn its_plugins_are_short_valid_and_do_what_the_page_says() {
    let home = Home::new();
    let files = files();
    for (name, body) in &files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, body).expect("a file");
        if body.starts_with("#!") {
            assert!(body.lines().count() < 40, "{name} has {} lines", body.lines().count());
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        }
    }
    for id in ["disk-free", "word-count", "measured"] {
        let checked = home.run(&["plugin", "check", &format!("plugins/{id}")]);
        assert_eq!(checked.status.code(), Some(0), "{id}: {}", text(&checked.stderr));
        let yaml = files.iter().find(|(name, _)| *name == format!("plugins/{id}/plugin.yaml")).expect("its file");
        assert!(yaml.1.lines().count() < 40, "{id}");
    }
    let output = home.run(&["exec", "measure.yaml", "-p", "file=measure.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let status = home.status();
    let words = status["steps"][1]["outputs"]["words"].as_u64().expect("a number");
    let yaml = &files.iter().find(|(name, _)| name == "measure.yaml").expect("the runbook").1;
    assert_eq!(words as usize, yaml.split_whitespace().count());
}
