//! A report as one HTML file: no scripts, nothing fetched, readable on paper, on a phone, by day and by night.

use minijinja::value::Serde;
use minijinja::{Environment, context};

use crate::compose::compose;
use crate::model::Report;

/// By its name the template is HTML, so that every value in it is escaped.
const NAME: &str = "report.html";

/// The report as one HTML file.
///
/// # Errors
/// When the template that is built in cannot be filled, which a test rules out.
pub fn html(report: &Report) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.add_template(NAME, include_str!("report.html"))?;
    let document = minijinja::Value::from(Serde(compose(report)));
    templates.get_template(NAME)?.render(context! { document, state => report.ending.state.as_str() })
}
