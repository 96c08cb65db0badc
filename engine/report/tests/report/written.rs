//! What people read: Markdown and HTML, in which nothing that others wrote is markup.

use runbook_report::{html, markdown};

use crate::told::rolled_back;

#[test]
fn the_markdown_of_a_run_that_was_rolled_back() {
    insta::assert_snapshot!(markdown(&rolled_back().report()));
}

#[test]
fn html_holds_the_same_and_escapes_all_of_it() {
    let report = rolled_back().report();
    let text = html(&report).expect("a page");
    for part in [
        "<h1 class=\"failed\">",
        "<code>install</code>",
        "v&lt;2&gt; | `tick`",
        "May | it &lt;go&gt;?",
        "no such unit | &lt;b&gt;",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for part in ["<go>", "<script", "<b>", "://", "src=", "href="] {
        assert!(!text.contains(part), "{part} is in the page");
    }
    assert_eq!(text.matches("<h2>").count(), markdown(&report).lines().filter(|line| line.starts_with("## ")).count());
    assert!(
        text.trim_end().ends_with("</html>")
            && text.contains("prefers-color-scheme: dark")
            && text.contains("@media print")
    );
}

#[test]
fn a_success_without_severity_needs_no_post_mortem() {
    let yaml = "schema: runbook/v1\nid: r\ntitle: R\nsteps:\n  - {id: a, run: a}\n";
    let text = markdown(&crate::kit::Sim::new(yaml).ended().report());
    assert!(!text.contains("Post-mortem") && text.contains("# R: succeeded"), "{text}");
    assert!(markdown(&rolled_back().report()).contains("### Root cause"));
}
