//! Two hundred planted secrets, printed, encoded, sent, handed back and failed with: none of them is found afterwards, in whatever the
//! program wrote or showed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use crate::kit::Home;
use crate::kit::chance::Chance;

/// Secrets in all, and in one run.
const SECRETS: usize = 200;
const OF_A_RUN: usize = 8;

const LETTERS: &str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const NASTY: &str = "'\"\\/%+&<>=?#$`!*.(){}[]|;:@~^,_- éß日😀";

/// A secret that nothing else looks like: it begins with letters that are drawn, then come nasty ones.
fn secret(chance: &mut Chance, number: usize) -> String {
    let mut draw = |letters: &str, count: usize| -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..count).map(|_| letters[chance.below(letters.len() as u64) as usize]).collect()
    };
    match number % 4 {
        0 => draw(LETTERS, 20),
        1 => format!("{}{}{}", draw(LETTERS, 8), draw(NASTY, 12), draw(LETTERS, 4)),
        // As a key: several lines.
        2 => (0..4).map(|_| draw(LETTERS, 24)).collect::<Vec<_>>().join("\n"),
        _ => format!("{}{}{}", draw(LETTERS, 12), draw(NASTY, 60), draw(LETTERS, 60)),
    }
}

/// What must be nowhere: the value, its lines, and these as programs write them.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut all = vec![];
    for part in value.lines().chain([value]) {
        let percent = |keeps: &str| -> String {
            let one = |byte: u8| match char::from(byte) {
                it if byte.is_ascii_alphanumeric() || keeps.contains(it) => it.to_string(),
                _ => format!("%{byte:02X}"),
            };
            part.bytes().map(one).collect()
        };
        let json = serde_json::Value::from(part).to_string();
        all.extend([part.to_owned(), percent("-._~"), percent("-._~").replace("%20", "+"), percent("-._~/")]);
        all.extend([json[1..json.len() - 1].to_owned(), part.replace('\'', r"'\''")]);
        all.extend([HEXLOWER.encode(part.as_bytes()), HEXUPPER.encode(part.as_bytes())]);
        for encoding in [&BASE64, &BASE64URL] {
            for before in 0..3 {
                let whole = encoding.encode(&[&vec![b'x'; before], part.as_bytes()].concat());
                let (from, to) = ((8 * before).div_ceil(6), 8 * (before + part.len()) / 6);
                all.push(whole[from..to].to_owned());
            }
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// Answers each request with its own head and body, in body and headers, without line ends.
fn serve() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let (mut request, mut piece) = (vec![], [0; 4096]);
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request).replace("\r\n", " ");
            let body = serde_json::json!({"seen": text, "plain": HEXLOWER.encode(&request)}).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nx-seen: {text}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    url
}

/// A script that does with one variable all that careless scripts do.
fn careless(variable: &str) -> String {
    let script = r#"
      printf '%s\n' "$V"; printf '%s' "$V" >&2
      printf 'in a sentence: %s.\n' "$V"
      half=$((${#V} / 2)); printf '%s' "${V:0:half}"; sleep 0.01; printf '%s\n' "${V:half}"
      printf '%s' "$V" | base64; printf '%s' "user:$V" | base64 -w 0; echo; printf '%s' "us:$V" | base64 -w 0 | tr '+/' '-_'; echo
      printf '%s' "u:$V" | base64 -w 40
      printf '%s' "$V" | od -An -v -tx1 | tr -d ' \n'; echo
      printf '%q\n' "$V"; echo "${V@Q}"; (set -x; : "$V")
      LC_ALL=C; for ((i = 0; i < ${#V}; i++)); do c=${V:i:1}; case $c in [a-zA-Z0-9._~-]) printf %s "$c";; *) printf '%%%02X' "'$c";; esac; done; echo
      cat "/nonexistent/$V" || true
"#;
    script.replace('V', variable)
}

struct Planted {
    secrets: Vec<String>,
    variables: Vec<(String, String)>,
}

/// Writes a runbook with these secrets: from the environment, from files, from programs.
fn plant(home: &Home, run: usize, secrets: Vec<String>, url: &str) -> Planted {
    let (mut head, mut env, mut script, mut variables) = (String::new(), vec![], String::new(), vec![]);
    let mut one_line = vec![];
    for (at, value) in secrets.iter().enumerate() {
        let source = match at % 3 {
            0 => {
                variables.push((format!("PLANTED_{at}"), value.clone()));
                format!("{{env: PLANTED_{at}}}")
            }
            kind => {
                fs::create_dir_all(home.path().join("vault")).expect("a folder");
                let file = home.path().join(format!("vault/{run}.{at}"));
                fs::write(&file, value).expect("a file");
                let file = file.display();
                if kind == 1 { format!("{{file: {file}}}") } else { format!("{{command: [cat, {file}]}}") }
            }
        };
        head.push_str(&format!("  s{at}: {source}\n"));
        env.push(format!("S{at}_: {{secret: s{at}}}"));
        script.push_str(&careless(&format!("S{at}_")));
        if value.is_ascii() && !value.contains('\n') {
            one_line.push(format!("X-Planted-{at}: {{secret: s{at}, prefix: 'Bearer '}}"));
        }
    }
    let last = secrets.len() - 1;
    let script = script.replace('\n', "\n      ");
    let text = format!(
        r#"schema: runbook/v1
id: planted
title: Planted
secrets:
{head}env: {{{env}}}
on_failure: rollback
steps:
  - id: careless
    run: |
      {script}
    outputs: {{out: "{{{{ stdout[:30000] }}}}", err: "{{{{ stderr[:30000] }}}}"}}
    rollback: {{run: 'echo "undone $S0_"'}}
  - id: send
    http: {{url: "{url}", headers: {{{headers}}}}}
    outputs: {{body: "{{{{ response.body }}}}", seen: "{{{{ response.json.seen }}}}", head: "{{{{ response.headers['x-seen'] }}}}"}}
  - id: poll
    http: {{url: "{url}", headers: {{{headers}}}}}
    until: response.json.seen == 'never'
    every: 1ms
    timeout: 50ms
    on_failure: continue
  - {{id: templated, run: 'printf "%s\n" "$OUT" "$ERR"', env: {{OUT: "{{{{ steps.careless.outputs.out[:5000] }}}}", ERR: "{{{{ steps.send.outputs.seen }}}}"}}}}
  - {{id: unset, run: 'set -- "$S0_"; : "${{nope:?$1}}"', on_failure: continue}}
  - {{id: hand, run: 'printf "it=%s\n" "$S{last}_" > "$RUNBOOK_OUTPUT"', on_failure: continue}}
  - {{id: nameless, run: 'printf "%s\n=x\n" "$S0_" > "$RUNBOOK_OUTPUT"', on_failure: continue}}
  - {{id: word, run: 'printf "a<<%s\n" "$S1_" > "$RUNBOOK_OUTPUT"', on_failure: continue}}
  - {{id: says, assert: [{{that: "steps.careless.outputs.out == ''", message: "found {{{{ steps.careless.outputs.out[:200] }}}}"}}]}}
"#,
        env = env.join(", "),
        headers = one_line.join(", "),
    );
    home.write("planted.yaml", &text);
    Planted { secrets, variables }
}

/// Everything in a folder, with the names.
fn all_in(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => all_in(&path, found),
            kind if kind.is_file() => found.push((path.clone(), fs::read(&path).unwrap_or_default())),
            _ => {}
        }
    }
}

fn run(home: &Home, planted: &Planted, args: &[&str]) -> Output {
    let mut command: Command = home.command(args);
    command.envs(planted.variables.iter().cloned()).output().expect("it runs")
}

#[test]
fn none_of_two_hundred_planted_secrets_is_found() {
    let mut chance = Chance::new();
    let url = serve();
    let mut leaks = vec![];
    for number in 0..SECRETS / OF_A_RUN {
        let home = Home::new();
        let secrets = (0..OF_A_RUN).map(|at| secret(&mut chance, number + at)).collect();
        let planted = plant(&home, number, secrets, &url);
        let mut shown = vec![];
        for args in [
            &["exec", "planted.yaml", "--output", "plain"][..],
            &["show", "last"],
            &["show", "last", "--output", "json"],
            &["status", "last", "--output", "json"],
            &["logs", "last"],
            &["logs", "last", "careless"],
        ] {
            let output = run(&home, &planted, args);
            let code = if args[0] == "exec" { 2 } else { 0 };
            assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            shown.push((PathBuf::from(args.join(" ")), [output.stdout, output.stderr].concat()));
        }
        all_in(&home.path().join("state"), &mut shown);
        let log = shown.iter().find(|(name, _)| name.ends_with("careless.1.out")).expect("a log");
        assert!(
            log.1.windows(3).filter(|three| *three == b"***").count() >= 5 * OF_A_RUN,
            "{}",
            String::from_utf8_lossy(&log.1)
        );
        let forms: Vec<Vec<u8>> = planted.secrets.iter().flat_map(|secret| forms(secret)).collect();
        let automaton = AhoCorasick::new(&forms).expect("few");
        for (name, bytes) in &shown {
            let found = automaton.find_iter(bytes).map(|found| String::from_utf8_lossy(&forms[found.pattern()]));
            leaks.extend(found.map(|form| format!("{form} in {}", name.display())));
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}
