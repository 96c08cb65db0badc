//! What a command says, with what differs each time made the same.

use crate::kit::Home;

/// The lines that answer the person: errors and hints, else the first and only line that says what became of the verb.
pub(super) fn answered(home: &Home, code: Option<i32>, text: &str) -> Vec<String> {
    if code.is_none() {
        return vec!["goes on with the run, which waits then".to_owned()];
    }
    let lines: Vec<String> = text.lines().map(|line| plain(home, line)).collect();
    let is_error = |line: &&String| line.starts_with("error: ") || line.starts_with("hint: ");
    if code != Some(0) && text.lines().any(|line| line.starts_with("error: ")) {
        return lines.iter().filter(is_error).cloned().collect();
    }
    let says = ["stored", "taken", "no engine has", "run RUN is being cancelled", "run RUN has ended", "run RUN of"];
    let found = lines.iter().find(|line| says.iter().any(|begin| line.starts_with(begin)));
    let line = found.unwrap_or_else(|| panic!("it says nothing: {text}"));
    // How far the run is by then differs.
    if line.starts_with("run RUN has ended") {
        return vec!["run RUN is being cancelled".to_owned()];
    }
    let cut = ["taken", "run RUN is being cancelled", "run RUN of `chain` resumed"];
    vec![cut.iter().find(|begin| line.starts_with(**begin)).map_or(line.clone(), |begin| (*begin).to_owned())]
}

/// Without times, ids and names.
fn plain(home: &Home, line: &str) -> String {
    let by = super::snapshot(home)["started_by"].as_str().expect("a name").to_owned();
    let line = line.replace(&format!("by {by}:"), "by NAME:");
    let folder = home.run_folder().expect("a run");
    let run = folder.file_name().expect("a name").to_str().expect("an id").to_owned();
    let line = line.replace(&run, "RUN").replace(&run[..10], "RUN");
    // `at 2026-11-22 00:32:56 +00:00`.
    let line = match line.split_once(" at 2") {
        Some((before, time)) => format!("{before} at TIME{}", &time["026-11-22 00:32:56 +00:00".len()..]),
        None => line,
    };
    // `15:48:42 `, before what a view says.
    let has_time =
        line.len() > 9 && line.is_char_boundary(9) && line.as_bytes()[2] == b':' && line.as_bytes()[5] == b':';
    if has_time { line[9..].to_owned() } else { line }
}
