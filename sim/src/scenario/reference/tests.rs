//! Whether the reference is complete, current, and true.

use super::*;
use crate::scenario::keys::Entry;
use crate::scenario::keys::general::{EXPECT, FLOWS, LINKS};
use crate::scenario::parse;

#[test]
fn every_metric_and_every_controller_is_explained() {
    let rows = metric_rows();
    assert!(rows.len() > 10, "the example has to be a scenario");
    for row in rows {
        assert!(METRICS.iter().any(|(known, _)| *known == row.name), "explain {}", row.name);
    }
    for name in utp_ledbat::CONTROLLER_NAMES {
        assert!(CONTROLLERS.iter().any(|(known, _)| *known == name), "explain {name}");
    }
    assert_eq!(utp_ledbat::CONTROLLER_NAMES[0], "utp", "the default that the keys name");
}

/// What stands between the marks of a code block.
fn examples() -> Vec<String> {
    let page = reference();
    let blocks = page.split("```toml\n").skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect()
}

#[test]
fn the_committed_reference_is_the_present_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/README.md");
    let committed = std::fs::read_to_string(path).expect("it is part of the repository");
    let same = committed.replace("\r\n", "\n") == reference();
    assert!(same, "run `cargo run -p utp-sim -- keys > scenarios/README.md`");
}

#[test]
fn the_examples_can_be_run() {
    let examples = examples();
    assert_eq!(examples.len(), 6);
    let base = "summary = \"x\"\nduration = \"100s\"\n";
    let links = "[link.uplink]\nrate = \"10mbit\"\ndelay = \"25ms\"\n\
                 queue = { kind = \"droptail\", bytes_max = 9000 }\n\
                 [link.lan]\ndelay = \"1ms\"\n[link.downlink]\ndelay = \"1ms\"\n";
    let flows = "[[flow]]\nname = \"upload\"\nkind = \"utp\"\nvia = \"uplink\"\n\
                 [[flow]]\nname = \"call\"\nkind = \"utp\"\nvia = \"uplink\"\n";
    for example in examples {
        let whole = example.contains("summary");
        let text = if whole { example } else { format!("{base}{links}{flows}{example}") };
        parse("example.toml".as_ref(), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn every_key_that_the_loader_knows_is_in_the_reference() {
    let page = reference();
    let tables = LINK_TABLES.iter().chain(&FLOW_TABLES).chain(&AT_TABLES).map(|(_, keys)| *keys);
    let more = [general::FILE, link::LINK, flow::FLOW, HOST, PHASE, general::EXPECTATION];
    for key in tables.chain(more).flatten() {
        assert!(page.contains(&format!("| `{}` | ", key.name())), "{}", key.name());
        assert!(key.says().ends_with('.'), "{}: {}", key.name(), key.says());
    }
    let structure: [&dyn Entry; 3] = [&LINKS, &FLOWS, &EXPECT];
    assert!(structure.iter().all(|key| page.contains(&format!("| `{}` | tables |", key.name()))));
}

#[test]
fn defaults_are_values_that_their_keys_allow() {
    // A file that gives each key its own default is the same as one without.
    let keys = |tables: &[Keys]| {
        let given = tables.iter().flat_map(|keys| keys.iter()).filter_map(|key| {
            let Default::Is(text) = key.default() else { return None };
            Some(format!("{} = {text}\n", key.name()))
        });
        given.collect::<String>()
    };
    let queue_of = |kind: &str, table| {
        let given = keys(&[table]).trim().replace('\n', ", ");
        format!("queue = {{ kind = \"{kind}\", {given} }}\n")
    };
    let file = |general: &str, link: &str, queue: &str, flow: &str| {
        format!(
            "summary = \"x\"\nduration = \"9s\"\n{general}[link.a]\nrate = \"1mbit\"\n\
             delay = \"1ms\"\n{queue}[link.b]\ndelay = \"1ms\"\n{link}[[flow]]\nname = \"f\"\nkind = \"utp\"\nvia = \"a\"\n{flow}"
        )
    };
    let plain = |keys: &str| keys.replace("stagger = \"0s\"\n", "");
    let (general, flow) = (keys(&[general::FILE]), plain(&keys(&[flow::FLOW, flow::UTP])));
    for (kind, table) in
        [("codel", queue::CODEL), ("fq-codel", queue::FQ_CODEL), ("pie", queue::PIE)]
    {
        let given = file(&general, &keys(&[link::LINK]), &queue_of(kind, table), &flow);
        let absent = file("", "", &format!("queue = {{ kind = \"{kind}\" }}\n"), "");
        let read = |text: &str| {
            let file = parse("d.toml".as_ref(), text).unwrap_or_else(|error| panic!("{error}"));
            format!("{:?}", file.variants)
        };
        assert_eq!(read(&given), read(&absent));
    }
}
