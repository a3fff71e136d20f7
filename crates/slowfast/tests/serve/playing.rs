use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::browser::{Browser, installed};
use crate::server::Server;

/// Both canvases show something.
const SEEN: &str = "['with_memory', 'without_memory'].every((id) => {
    const canvas = document.getElementById(id);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value, index) => index % 4 === 3 && value === 255);
})";
/// Points in the plots of the norm and of the losses.
const POINTS: &str =
    "['norm', 'loss'].map((id) => document.querySelectorAll(`#${id} circle`).length)";

fn at_rest(chunks: usize) -> String {
    // The start is in the list too.
    format!(
        "document.querySelectorAll('#chunks li').length === {} && !document.querySelector('fieldset:disabled')",
        chunks + 1
    )
}

#[test]
fn a_person_plays_by_keys_and_words() {
    let Some(chromium) = installed() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut browser = Browser::open(&chromium, &server.url);
    browser.wait_until(&at_rest(0));
    browser.wait_until(SEEN);

    browser.press("ArrowLeft");
    browser.wait_until(&at_rest(1));
    browser.wait_until(SEEN);
    // The fresh memory has norm 0, and a chunk is learned in one step.
    assert_eq!(browser.evaluate(POINTS), serde_json::json!([2, 1]));
    let said =
        "[...document.querySelectorAll('#chunks button')].map((button) => button.textContent)";
    assert_eq!(browser.evaluate(said), serde_json::json!(["Start", "turn left"]));

    browser.evaluate("document.getElementById('phrase').focus()");
    browser.type_text("go forward quickly");
    // Within the text an arrow moves the caret.
    browser.press("ArrowLeft");
    browser.evaluate("document.querySelector('#act').requestSubmit()");
    browser.wait_until(&at_rest(2));
    assert_eq!(browser.evaluate(POINTS), serde_json::json!([3, 2]));
    let status = browser.evaluate("document.getElementById('status').textContent");
    assert!(status.as_str().unwrap().contains("“quickly”"), "{status}");
    // For whoever wants to see the page.
    if let Some(folder) = std::env::var_os("SCREENSHOTS").map(std::path::PathBuf::from) {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            let picture = STANDARD.decode(browser.screenshot()).unwrap();
            std::fs::write(folder.join(format!("serve-{scheme}.png")), picture).unwrap();
        }
    }

    browser.evaluate("document.querySelectorAll('#chunks button')[1].click()");
    browser.wait_until(&at_rest(1));
    browser.evaluate("window.before = true; location.reload()");
    browser.wait_until(&format!("!window.before && {}", at_rest(1)));

    browser.evaluate("document.getElementById('phrase').focus()");
    browser.type_text("dance");
    browser.evaluate("document.querySelector('#act').requestSubmit()");
    browser.wait_until("!document.getElementById('error').hidden");
    let error = browser.evaluate("document.getElementById('error').textContent");
    assert!(error.as_str().unwrap().contains("use some of"), "{error}");
    browser.press("Escape");
    browser.press("ArrowUp");
    browser.wait_until(&at_rest(2));

    // A chunk that the page did not ask for, as one that was begun before a reload.
    browser.evaluate(
        "fetch(`api/sessions/${location.hash.slice(1)}/chunks`, { method: 'POST', headers: { 'content-type': 'application/json' }, \
         body: JSON.stringify({ phrase: 'turn left' }) }).then((answer) => answer.text()).then(() => (window.begun = true))",
    );
    browser.wait_until("window.begun");
    browser.press("ArrowRight");
    browser.wait_until(&at_rest(4));
    drop(browser);
    server.interrupt();
}
