//! The pages of the guide hold what they say: every runbook and environment in them is valid.

use std::path::{Path, PathBuf};

use crate::kit::Home;

/// The whole documents in a page.
fn documents(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).expect("a page");
    let blocks = text.split("```yaml\n").skip(1).map(|part| part.split("```").next().unwrap_or_default().to_owned());
    // Plugins are more than one file: the test of their page writes them all.
    let is_alone = |block: &String| block.starts_with("schema:") && !block.starts_with("schema: plugin/");
    blocks.filter(is_alone).filter(|block| !block.contains("uses: disk-free")).collect()
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the guide").map(|it| it.expect("a page").path()).collect();
    pages.sort();
    pages
}

#[test]
fn every_document_in_it_is_valid() {
    let mut seen = 0;
    for page in pages() {
        // The runbooks of a page may run each other.
        let home = Home::new();
        let documents = documents(&page);
        for (number, text) in documents.iter().enumerate() {
            home.write(&format!("{number}.yaml"), text);
        }
        for (number, text) in documents.iter().enumerate() {
            let output = home.run(&["--runbooks", ".", "validate", &format!("{number}.yaml")]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{}:\n{text}\n{said}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 1, "{seen} documents");
}
