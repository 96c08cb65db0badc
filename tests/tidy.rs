//! Keeps the code small enough to be read: files, functions, and nothing left for later. Keeps the table of semantics true
//! to its tests.

use std::collections::BTreeSet;
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

/// Rows that the table of semantics has at least.
const ROWS_MIN: usize = 60;

/// The names of test functions in a file, those in modules within it too.
#[derive(Default)]
struct Tests(BTreeSet<String>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let is_test = |attr: &syn::Attribute| attr.path().segments.last().is_some_and(|last| last.ident == "test");
        if item.attrs.iter().any(is_test) {
            self.0.insert(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }
}

/// Whether `path::of::a_test` is a test in `…/path/of.rs`. Modules called `tests` lie within the file.
fn is_a_test(path: &str, files: &[(PathBuf, Tests)]) -> bool {
    let Some((module, name)) = path.rsplit_once("::") else { return false };
    let module: PathBuf = module.split("::").filter(|part| *part != "tests").collect();
    files.iter().any(|(file, tests)| {
        let file = file.with_extension("");
        let place = if file.ends_with("mod") { file.parent().unwrap_or(&file) } else { &file };
        place.ends_with(&module) && tests.0.contains(name)
    })
}

#[test]
fn each_row_of_the_semantics_names_its_tests() {
    let parsed = rust_files().into_iter().map(|file| {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let mut tests = Tests::default();
        tests.visit_file(&syn::parse_file(&text).expect("it compiles"));
        (file, tests)
    });
    let files: Vec<(PathBuf, Tests)> = parsed.collect();
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/semantics.md");
    let table = std::fs::read_to_string(table).expect("the table");
    let (mut rows, mut found) = (0, vec![]);
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")) {
        rows += 1;
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let named: Vec<&str> =
            cells.last().map(|cell| cell.split('`').skip(1).step_by(2).collect()).unwrap_or_default();
        if cells.len() != 5 || named.is_empty() {
            found.push(format!("five cells, the last with a test: {row}"));
        }
        found.extend(named.iter().filter(|test| !is_a_test(test, &files)).map(|test| format!("no such test: {test}")));
    }
    assert!(found.is_empty(), "docs/reference/semantics.md:\n{}", found.join("\n"));
    assert!(rows >= ROWS_MIN, "{rows} rows");
}
