//! Tests of the rules about lines, functions and files.

use super::*;

const ROADMAP: &str = "* Pacing (pacing): spread packets over the round trip.";

/// The messages of what fails in a file.
fn errors(name: &str, content: &str) -> Vec<String> {
    messages(name, content, true)
}

/// The messages of what is worth a look in a file.
fn notes(name: &str, content: &str) -> Vec<String> {
    messages(name, content, false)
}

fn messages(name: &str, content: &str, fails: bool) -> Vec<String> {
    let mut findings = Vec::new();
    check(Path::new(name), content, ROADMAP, &mut findings);
    let wanted = findings.into_iter().filter(|finding| finding.fails == fails);
    wanted.map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
}

/// A function of `lines` lines.
fn function(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

#[test]
fn a_tidy_file_has_no_finding() {
    let content = "//! Owns nothing.\n\nfn short() {}\n";
    assert!(errors("a.rs", content).is_empty());
    assert!(notes("a.rs", content).is_empty());
}

#[test]
fn tabs_and_spaces_at_the_end_of_a_line_fail() {
    assert_eq!(errors("a.toml", "a = 1\n\tb = 2\n"), ["2: a tab"]);
    assert_eq!(errors("a.md", "text \n"), ["1: a space at the end of the line"]);
}

#[test]
fn columns_count_in_rust_only_and_as_characters() {
    let fits = format!("//! {}\n", "ü".repeat(96));
    let too_long = format!("//! {}\n", "ü".repeat(97));
    assert!(errors("a.rs", &fits).is_empty());
    assert_eq!(errors("a.rs", &too_long), ["1: 101 columns, at most 100"]);
    assert!(errors("a.md", &too_long).is_empty());
}

#[test]
fn a_rust_file_says_what_it_owns() {
    assert_eq!(errors("a.rs", "fn f() {}\n").len(), 1);
}

#[test]
fn files_are_noted_over_400_lines_and_fail_over_800() {
    let file = |lines: usize| format!("//! Long.\n{}", "const A: u8 = 0;\n".repeat(lines - 1));
    assert!(notes("a.rs", &file(400)).is_empty());
    assert_eq!(notes("a.rs", &file(401)), ["1: 401 lines, better 400"]);
    assert!(errors("a.rs", &file(800)).is_empty());
    assert_eq!(errors("a.rs", &file(801)), ["1: 801 lines, at most 800"]);
    assert!(errors("a.md", &file(801)).is_empty());
}

#[test]
fn tests_at_the_bottom_do_not_count_for_the_note() {
    let tests = format!("mod tests {{\n{}}}\n", "    // A line.\n".repeat(300));
    let content = format!("//! Short.\n{}{tests}", "// A line.\n".repeat(300));
    assert!(notes("a.rs", &content).is_empty());
}

#[test]
fn functions_are_noted_over_70_lines_and_fail_over_100() {
    let file = |lines| format!("//! Long.\n{}", function(lines));
    assert!(notes("a.rs", &file(70)).is_empty());
    assert_eq!(notes("a.rs", &file(71)), ["2: a function of 71 lines, better 70"]);
    assert!(errors("a.rs", &file(100)).is_empty());
    assert_eq!(errors("a.rs", &file(101)), ["2: a function of 101 lines, at most 100"]);
}

#[test]
fn functions_are_found_whatever_stands_before_and_after_the_name() {
    let source = "
pub(crate) async fn one<T>(
    first: T,
) -> T
where
    T: Copy,
{
    if true {
        first
    }
}
trait Two {
    fn declared(
        &self,
    );
    const unsafe extern \"C\" fn given(&self) {
    }
}
let not_a = \"fn at all\";
// Nor does fn in a comment count.
type Pointer = fn (u8);
";
    let lines: Vec<_> = source.lines().collect();
    assert_eq!(functions(&lines), [(1, 10), (12, 3), (15, 2)]);
}

#[test]
fn an_open_end_needs_its_word_on_the_road_map() {
    let mark = concat!("TO", "DO");
    assert!(errors("a.md", &format!("{mark}(pacing): later\n")).is_empty());
    assert_eq!(errors("a.md", &format!("{mark}(moonshot): later\n")).len(), 1);
    assert_eq!(errors("a.md", &format!("{mark}: later\n")).len(), 1);
    assert_eq!(errors("a.md", &format!("{mark}(): later\n")).len(), 1);
    assert!(errors("a.md", &format!("The word `{mark}` has a rule.\n")).is_empty());
}

#[test]
fn a_path_of_a_machine_fails_and_one_of_a_page_does_not() {
    let user = concat!("/", "home/somebody");
    assert_eq!(errors("a.md", &format!("see {user}/notes\n")).len(), 1);
    assert_eq!(errors("a.toml", &format!("path = \"{user}\"\n")).len(), 1);
    assert!(errors("a.md", &format!("see https://example.org{user}\n")).is_empty());
}
