//! Texts: what a request may say about them, what a key may ask for, and how they look beforehand.

use crate::gateway::{Gateway, NUMBER, PLAIN, Reply, equipment};
use otpgate::domain::msisdn::Msisdn;
use otpgate::domain::verification::CodeAlphabet;
use otpgate::http::Settings;
use otpgate::modem::board::ModemState;
use otpgate::otp::template::{Book, Brand, Form, Pattern, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn template(name: &str, form: Form, texts: &[(&str, &str)]) -> Template {
    let texts = texts.iter().map(|(tag, text)| ((*tag).to_owned(), vec![Pattern::parse(text).unwrap()])).collect();
    Template { name: name.to_owned(), brand: None, form, texts }
}

fn settings() -> Settings {
    let own =
        template("own", Form::Plain, &[("default", "{code} at {brand} for {purpose}"), ("de", "{code} von {brand}")]);
    let web = Template {
        brand: Brand::parse("Web").ok(),
        ..template("web", Form::WebOtp, &[("en", "{code} is for {brand}")])
    };
    let templates = Book { templates: vec![own, web], ..Book::default() };
    Settings { templates, ..Settings::default() }
}

/// A key that may bind its codes to two hosts and an app, and one host's.
async fn key(gateway: &Gateway, more: Value) -> String {
    let mut body = json!({
        "name": "shop",
        "scopes": ["verify", "check", "read"],
        "hosts": ["login.example.com", "pay.example.net"],
        "apps": ["FA+9qCX9VSu"],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = gateway.call("POST /v1/keys", &body.to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["key"].as_str().unwrap().to_owned()
}

async fn create(gateway: &Gateway, key: &str, more: &Value) -> Reply {
    let mut body = json!({ "to": NUMBER });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.call_as(key, "POST /v1/verifications", &body.to_string(), &[]).await
}

/// The text of the next message, with `*` for each character of its code.
async fn next_text(gateway: &Gateway) -> String {
    let text = gateway.claim().await.text.reveal().to_owned();
    let code = text.split(' ').find(|word| word.len() == 6 && word.bytes().any(|b| b.is_ascii_digit())).unwrap();
    text.replace(code, "******")
}

#[tokio::test(start_paused = true)]
async fn t6_nothing_can_be_put_into_a_text_that_is_not_a_plain_value() {
    let gateway = Gateway::with(settings(), None).await;
    let key = key(&gateway, json!({})).await;
    let evils = [
        "x\n@evil.example #1",
        "x\r\n@evil.example #1",
        "x\u{2028}@evil.example #1",
        "x\u{85}y1",
        "1 evil.com",
        "1 https:evil",
        "1 www.evil.ex",
        "1 evil@x",
        "1 #evil",
        "<#> 1",
        "1 {code}",
        "1\u{202e}x",
        "1\u{0}x",
        "1\u{200b}.x",
        " 1",
        "",
    ];
    for field in ["brand", "amount", "payee", "purpose", "host", "embedded_host", "app", "locale", "template"] {
        for evil in evils {
            let mut body = json!({ field: evil });
            if field == "amount" || field == "payee" {
                let other = if field == "amount" { "payee" } else { "amount" };
                body[other] = json!("5");
            }
            let outcome = create(&gateway, &key, &body).await.outcome();
            assert_eq!(outcome, format!("422 invalid_value {field}"), "{field} {evil:?}");
            let outcome = gateway.call_as(&key, "POST /v1/templates/preview", &body.to_string(), &[]).await.outcome();
            assert_eq!(outcome, format!("422 invalid_value {field}"), "preview: {field} {evil:?}");
        }
    }
    let listed = gateway.call("GET /v1/messages", "").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn t1_t3_a_key_decides_which_hosts_and_apps_its_texts_are_for() {
    let gateway = Gateway::with(settings(), None).await;
    let key = key(&gateway, json!({})).await;
    let rows = [
        ("no host of the key's", json!({"host": "other.example.com"}), "403 host_not_allowed host"),
        (
            "embedded",
            json!({"host": "login.example.com", "embedded_host": "other.example"}),
            "403 host_not_allowed embedded_host",
        ),
        ("no app of the key's", json!({"app": "FA+9qCX9VSv"}), "403 app_not_allowed app"),
        ("both at once", json!({"host": "login.example.com", "app": "FA+9qCX9VSu"}), "422 invalid_value app"),
        ("a template for neither", json!({"template": "own", "host": "login.example.com"}), "422 invalid_value host"),
        ("a template for hosts without one", json!({"template": "web"}), "422 missing_field host"),
        ("half a payment", json!({"amount": "5 EUR"}), "422 missing_field payee"),
        (
            "a template without places for a payment",
            json!({"template": "web", "host": "login.example.com", "amount": "5", "payee": "x"}),
            "422 invalid_value amount",
        ),
        ("no such template", json!({"template": "none"}), "422 invalid_value template"),
    ];
    for (name, body, expected) in rows {
        assert_eq!(create(&gateway, &key, &body).await.outcome(), expected, "{name}");
    }
    let made = create(
        &gateway,
        &key,
        &json!({"host": "login.example.com", "embedded_host": "pay.example.net", "brand": "Acme"}),
    )
    .await;
    assert_eq!((made.status.as_u16(), made.json()["host"].as_str()), (201, Some("login.example.com")));
    let expected =
        "****** is your Acme code. Valid for 5 min. Don't share it.\n@login.example.com #****** @pay.example.net";
    let text = gateway.claim().await.text.reveal().to_owned();
    assert_eq!(text.replace(&text[..6], "******"), expected);
    create(&gateway, &key, &json!({"app": "FA+9qCX9VSu"})).await;
    assert_eq!(next_text(&gateway).await, "<#> ****** is your code. Valid for 5 min. Don't share it.\nFA+9qCX9VSu");
}

#[tokio::test(start_paused = true)]
async fn a_key_has_its_own_templates_and_brand() {
    let gateway = Gateway::with(settings(), None).await;
    let key = key(&gateway, json!({"templates": ["web"], "hosts": ["login.example.com"], "brand": "House"})).await;
    let made = create(&gateway, &key, &json!({})).await.json();
    assert_eq!((&made["template"], &made["brand"], &made["locale"]), (&json!("web"), &json!("Web"), &json!("en")));
    let text = next_text(&gateway).await;
    assert_eq!(text.split('\n').next(), Some("****** is for Web"));
    for name in ["own", "default"] {
        let outcome = create(&gateway, &key, &json!({"template": name})).await.outcome();
        assert_eq!(outcome, "403 template_not_allowed template", "{name}");
    }
    let listed = gateway.call_as(&key, "GET /v1/templates", "", &[]).await.json();
    assert_eq!(listed["items"], json!([{"name": "web", "form": "webotp", "brand": "Web", "locales": ["en"]}]));
    let all = gateway.call("GET /v1/templates", "").await.json();
    assert_eq!(all["items"][0]["name"], "default");
    assert!(all["items"][0]["locales"].as_array().unwrap().len() >= 50);
    assert_eq!(all["items"][1]["locales"], json!(["und", "de"]));
}

#[tokio::test(start_paused = true)]
async fn a_text_is_shown_before_it_is_sent() {
    let gateway = Gateway::with(settings(), None).await;
    let rows = [
        (json!({}), "1234567890"[..6].to_owned() + " is your code. Valid for 5 min. Don't share it.", "en", "gsm7", 53),
        (
            json!({"to": "+33612345678"}),
            "123456 est votre code, valable 5 min. Ne le communiquez à personne.".into(),
            "fr",
            "gsm7",
            67,
        ),
        (
            json!({"to": "+33612345678", "locale": "uk-UA", "brand": "Acme"}),
            "123456 — код Acme. Дійсний 5 хв. Нікому не повідомляйте.".into(),
            "uk",
            "ucs2",
            56,
        ),
        (
            json!({"code_alphabet": "alphanumeric", "code_length": 8}),
            "K7PX2CM4 is your code. Valid for 5 min. Don't share it.".into(),
            "en",
            "gsm7",
            55,
        ),
        (
            json!({"template": "own", "brand": "Acme", "purpose": "log-in"}),
            "123456 at Acme for log in".into(),
            "und",
            "gsm7",
            25,
        ),
        (
            json!({"ttl_seconds": 600, "amount": "49.90 EUR", "payee": "Acme Shop"}),
            "123456 is your code to pay 49.90 EUR to Acme Shop. Valid for 10 min. Don't share it.".into(),
            "en",
            "gsm7",
            84,
        ),
    ];
    for (body, text, locale, alphabet, units) in rows {
        let reply = gateway.call("POST /v1/templates/preview", &body.to_string()).await;
        assert_eq!(reply.status, 200, "{body}: {}", reply.text);
        let shown = reply.json();
        assert_eq!((&shown["text"], &shown["locale"]), (&json!(text), &json!(locale)), "{body}");
        assert_eq!(
            (&shown["alphabet"], &shown["units"], &shown["segments"]),
            (&json!(alphabet), &json!(units), &json!(1)),
            "{body}"
        );
    }
    let long = json!({"template": "own", "brand": "Кофейня на углу двух улиц города", "purpose": "a-purpose-with-32-characters-now"});
    assert_eq!(gateway.call("POST /v1/templates/preview", &long.to_string()).await.outcome(), "422 text_too_long");
    assert_eq!(create(&gateway, &gateway.admin, &long).await.outcome(), "422 text_too_long");
}

#[tokio::test(start_paused = true)]
async fn s5_a_code_is_good_for_its_amount_and_payee_only() {
    let gateway = Gateway::start().await;
    let body = json!({"to": NUMBER, "amount": "49.90 EUR", "payee": "Acme Shop"});
    let made = gateway.call("POST /v1/verifications", &body.to_string()).await.json();
    assert_eq!((&made["amount"], &made["payee"]), (&body["amount"], &body["payee"]));
    let code = gateway.code().await;
    let line = format!("POST /v1/verifications/{}/check", made["id"].as_str().unwrap());
    let check = async |more: Value| {
        let mut body = json!({ "code": code });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        gateway.call(&line, &body.to_string()).await.json()
    };
    let wrong = check(json!({"amount": "4990.00 EUR", "payee": "Acme Shop"})).await;
    assert_eq!((&wrong["valid"], &wrong["attempts_left"]), (&json!(false), &json!(4)));
    let wrong = check(json!({"amount": "49.90 EUR", "payee": "Acne Shop"})).await;
    assert_eq!((&wrong["valid"], &wrong["attempts_left"]), (&json!(false), &json!(3)));
    // Without them it proves nothing, and costs nothing.
    for (given, missing) in [(json!({}), "amount"), (json!({"amount": "49.90 EUR"}), "payee")] {
        let refused = check(given).await;
        assert_eq!((&refused["code"], &refused["field"]), (&json!("missing_field"), &json!(missing)));
    }
    let right = check(json!({"amount": "49.90 EUR", "payee": "Acme Shop"})).await;
    assert_eq!((&right["valid"], &right["status"]), (&json!(true), &json!("approved")));
}

#[tokio::test(start_paused = true)]
async fn t4_codes_of_letters_are_taken_as_they_are_read() {
    let gateway = Gateway::with(Settings { code_alphabet: CodeAlphabet::Unambiguous, ..settings() }, None).await;
    for typed in [
        |code: &str| code.to_lowercase(),
        |code: &str| code.replace('8', "B").replace('5', "s"),
        |code: &str| format!(" {}-{} ", &code[..3], &code[3..]),
    ] {
        let id = gateway.verification(PLAIN).await;
        let code = gateway.code().await;
        assert!(code.bytes().all(|c| CodeAlphabet::Unambiguous.symbols().contains(&c)), "{code}");
        let body = json!({ "code": typed(&code) }).to_string();
        let verdict = gateway.call(&format!("POST /v1/verifications/{id}/check"), &body).await;
        assert_eq!(verdict.json()["valid"], true, "{}", verdict.text);
    }
    let id = gateway.verification(r#"{"to":"+14155550123","code_alphabet":"digits"}"#).await;
    let code = gateway.code().await;
    assert!(code.bytes().all(|c| c.is_ascii_digit()), "{code}");
    let slip = gateway.call(&format!("POST /v1/verifications/{id}/check"), r#"{"code":"K7PX2C"}"#).await;
    assert_eq!(slip.outcome(), "422 invalid_value code");
    let both = gateway
        .call("POST /v1/verifications", r#"{"to":"+14155550123","code":"K7PX2C","code_alphabet":"digits"}"#)
        .await;
    assert_eq!(both.outcome(), "422 invalid_value code_alphabet");
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_in_the_same_language() {
    let gateway = Gateway::with(settings(), None).await;
    let body = json!({"to": "+33612345678", "locale": "pl", "brand": "Acme"});
    let id = gateway.verification(&body.to_string()).await;
    let first = next_text(&gateway).await;
    assert!(first.starts_with("****** to kod Acme."), "{first}");
    let resent = gateway.call(&format!("POST /v1/verifications/{id}/resend"), "").await;
    assert_eq!(resent.status, 200, "{}", resent.text);
    assert_eq!(next_text(&gateway).await, first);
}

#[tokio::test(start_paused = true)]
async fn a_word_to_be_texted_to_us_is_told_once_and_no_code_is_checked() {
    let own = BTreeMap::from([(equipment().1, Msisdn::parse("+14155550199").unwrap())]);
    let gateway = Gateway::with(Settings { own_numbers: own, ..settings() }, None).await;
    let awaited = r#"{"to":"+14155550123","channel":"inbound","purpose":"log-in"}"#;
    let nobody = gateway.call("POST /v1/verifications", awaited).await;
    assert_eq!(nobody.outcome(), "503 no_own_number");
    gateway.board.update(0, |modem| modem.sim_card = Some(equipment().1));
    gateway.modem(0, ModemState::Ready);
    for (field, value) in
        [("template", "own"), ("code", "K7PX2C"), ("host", "login.example.com"), ("brand", "Acme"), ("locale", "de")]
    {
        let body = json!({"to": NUMBER, "channel": "inbound", field: value}).to_string();
        assert_eq!(gateway.call("POST /v1/verifications", &body).await.outcome(), format!("422 invalid_value {field}"));
    }
    let headers = [("idempotency-key", "once")];
    let admin = gateway.admin.clone();
    let made = gateway.call_as(&admin, "POST /v1/verifications", awaited, &headers).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let view = made.json();
    let word = view["inbound"]["word"].as_str().unwrap();
    assert!(word.len() == 6 && word.bytes().all(|c| CodeAlphabet::Unambiguous.symbols().contains(&c)), "{word}");
    assert_eq!(view["inbound"]["numbers"], json!(["+14155550199"]));
    assert_eq!((&view["message"], &view["sends"], &view["channel"]), (&json!(null), &json!(0), &json!("inbound")));
    let again = gateway.call_as(&admin, "POST /v1/verifications", awaited, &headers).await;
    assert!(again.is_replay());
    assert_eq!(again.json()["inbound"], view["inbound"]);
    let path = format!("/v1/verifications/{}", view["id"].as_str().unwrap());
    let shown = gateway.call(&format!("GET {path}"), "").await;
    assert!(!shown.text.contains(word) && shown.json().get("inbound").is_none(), "{}", shown.text);
    let check = gateway.call(&format!("POST {path}/check"), &json!({ "code": word }).to_string()).await;
    assert_eq!(check.outcome(), "409 awaits_text");
    assert_eq!(gateway.call(&format!("POST {path}/resend"), "").await.outcome(), "409 awaits_text");
    assert_eq!(gateway.call("GET /v1/messages", "").await.json()["items"], json!([]));
    let canceled = gateway.call(&format!("POST {path}/cancel"), "").await.json();
    assert_eq!((&canceled["status"], &canceled["message"]), (&json!("canceled"), &json!(null)));
}
