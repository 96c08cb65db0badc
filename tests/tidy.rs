//! Keeps the code small enough to be read: files, functions, and nothing left for later.

use std::path::{Path, PathBuf};
use std::process::Command;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Macros that say that something is not done.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

fn rust_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "-co", "--exclude-standard", "*.rs"]).current_dir(root).output();
    let listed = String::from_utf8(listed.expect("git lists files").stdout).expect("names are text");
    let files: Vec<PathBuf> = listed.lines().map(|name| root.join(name)).filter(|file| file.exists()).collect();
    assert!(files.len() > 50, "the files of the project are found");
    files
}

struct Functions<'f> {
    file: &'f Path,
    found: &'f mut Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let lines = block.span().end().line - block.span().start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.found.push(format!("{}: `{name}` has {lines} lines", self.file.display()));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let name = item.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if UNFINISHED.contains(&name.as_str()) {
            self.found.push(format!("{}: `{name}!`", self.file.display()));
        }
        visit::visit_macro(self, item);
    }
}

#[test]
fn files_and_functions_stay_small_and_finished() {
    let mut found = vec![];
    for file in rust_files() {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(format!("{}: {lines} lines", file.display()));
        }
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Functions { file: &file, found: &mut found }.visit_file(&parsed);
    }
    assert!(found.is_empty(), "too long, or not finished:\n{}", found.join("\n"));
}
