use super::*;

fn environment(rows: &[(&str, &str)]) -> Environment {
    let home = [("HOME", "/home/ada")];
    home.iter().chain(rows).map(|(n, v)| (n.to_string(), v.to_string())).collect()
}

fn load(text: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Loaded, String> {
    let file = Some((Path::new("otpgate.toml"), text));
    Config::from_sources(&flags, &environment(variables), file).map_err(|e| e.to_string())
}

fn file(text: &str) -> Result<Loaded, String> {
    load(text, &[], Flags::default())
}

#[test]
fn what_is_wrong_is_told_with_line_and_remedy() {
    let rows = [
        (
            "nearest name",
            "listen = \"127.0.0.1:1\"\ndata_dri = \"/x\"",
            "line 2: there is no setting data_dri; did you mean data_dir?",
        ),
        (
            "nearest name in a table",
            "[http]\nplain_htp = true",
            "line 2: there is no setting http.plain_htp; did you mean http.plain_http?",
        ),
        (
            "right name, wrong table",
            "plain_http = true",
            "line 1: there is no setting plain_http; did you mean http.plain_http?",
        ),
        ("nothing like it", "zzz = 1", "line 1: there is no setting zzz; otpgate.sample.toml has them all"),
        ("a table nobody knows", "[watch]\nmode = \"off\"", "line 1: there is no setting watch"),
        ("a table in a table", "[http.tls]\ncert = \"x\"", "line 2: there is no setting http.tls.cert"),
        ("an empty table in a table", "[http.tls]", "line 1: there is no setting http.tls"),
        ("an empty table in two", "[http]\n[http.a.b]\n", "line 2: there is no setting http.a.b"),
        ("an empty table for a value", "[http.plain_http]", "line 1: http.plain_http must be true or false"),
        ("an empty table in a modem", "[[modem]]\nport = \"/dev/a\"\n[modem.x]", "line 3: there is no setting modem.x"),
        (
            "a name in quotation marks",
            "\"http.plain_http\" = true",
            "line 1: there is no setting \"http.plain_http\" in quotation marks",
        ),
        ("a table in quotation marks", "[\"http.x\"]", "line 1: there is no setting \"http.x\" in quotation marks"),
        (
            "modem key",
            "[[modem]]\nport = \"/dev/a\"\nprompt_delay = 5",
            "line 3: there is no setting modem.prompt_delay; did you mean modem.prompt_delay_ms?",
        ),
        ("modem without port", "\n[[modem]]\ncommand_gap_ms = 5", "line 2: [[modem]] has no port"),
        (
            "modem twice",
            "[[modem]]\nport = \"/dev/a\"\n[[modem]]\nport = \"/dev/a\"",
            "line 4: modem.port /dev/a is named twice",
        ),
        ("one modem table", "[modem]\nport = \"/dev/a\"", "line 1: modem must be written as a table [[modem]]"),
        ("a route without prefix", "[[route]]\noperator = \"A\"", "line 1: [[route]] has no prefix"),
        ("a route's prefix", "[[route]]\nprefix = \"49\"", "line 2: route.prefix must be the beginning of a number"),
        (
            "a route's card",
            "[[route]]\nprefix = \"+49\"\nsim_cards = [\"1\"]",
            "line 3: route.sim_cards must be a list of numbers of SIM cards",
        ),
        (
            "a route twice",
            "[[route]]\nprefix = \"+49\"\n[[route]]\nprefix = \"+49\"",
            "line 4: route.prefix +49 is named twice",
        ),
        ("a card without number", "[[sim_card]]\nnumber = \"+15550100\"", "line 1: [[sim_card]] has no iccid"),
        ("a card's number", "[[sim_card]]\niccid = \"12\"", "line 2: sim_card.iccid must be the number of the card"),
        (
            "a card twice, spelt in two ways",
            "[[sim_card]]\niccid = \"8944 0000 0000 0000 000F\"\n[[sim_card]]\niccid = \"8944000000000000000\"",
            "line 4: sim_card.iccid …00000 is named twice",
        ),
        (
            "a phone number, which is not repeated",
            "[[sim_card]]\niccid = \"8944000000000000000\"\nsmsc = \"0123\"",
            "line 3: sim_card.smsc is no phone number: a phone number must begin with +",
        ),
        (
            "a USSD code",
            "[[sim_card]]\niccid = \"8944000000000000000\"\nussd = \"*100\"",
            "line 3: sim_card.ussd must be a code as one dials it",
        ),
        (
            "a limit of one card",
            "[[sim_card]]\niccid = \"8944000000000000000\"\n[sim_card.limits]\nper_day = 0",
            "line 4: sim_card.limits.per_day must be a whole number from 1 to",
        ),
        (
            "a limit that is none",
            "[sim_limits]\nper_weak = 1",
            "line 2: there is no setting sim_limits.per_weak; did you mean sim_limits.per_",
        ),
        ("a mode", "[sim_limits]\nmode = \"on\"", "line 2: sim_limits.mode must be \"enforce\", \"shadow\" or \"off\""),
        ("a time zone", "[sim_limits]\ntime_zone = \"Mars\"", "line 2: sim_limits.time_zone must be a time zone"),
        ("a canary", "[canary]\nevery_hours = 0", "line 2: canary.every_hours must be a whole number from 1 to 168"),
        (
            "a canary's way",
            "[canary]\nwithin_minutes = 31",
            "line 2: canary.within_minutes must be a whole number from 1",
        ),
        ("list of non-tables", "modem = [1]", "line 1: modem must be written as a table [[modem]]"),
        ("type", "listen = 8480", "line 1: listen must be an address and a port"),
        ("no port", "listen = \"127.0.0.1\"", "line 1: listen must be an address and a port"),
        ("path", "data_dir = \"data\"", "line 1: data_dir must be an absolute path"),
        ("a path that none can be", "data_dir = \"/a\\u0000b\"", "line 1: data_dir must be a path"),
        ("boolean", "[http]\nplain_http = \"true\"", "line 2: http.plain_http must be true or false"),
        ("range", "[codes]\nmin_length = 3", "line 2: codes.min_length must be a whole number from 4 to 10"),
        (
            "too large for any integer",
            "drain_seconds = 99999999999999999999999",
            "line 1: drain_seconds must be a whole number from 1 to 600",
        ),
        ("negative", "drain_seconds = -1", "line 1: drain_seconds must be"),
        ("country", "country = \"UK\"", "line 1: country \"UK\" is no ISO 3166 code; the United Kingdom is \"GB\""),
        ("country by name", "country = \"France\"", "line 1: country must be the two letters"),
        (
            "list",
            "[http]\ntrusted_proxies = [\"10.0.0.0/33\"]",
            "line 2: http.trusted_proxies must be a list of addresses",
        ),
        (
            "list of hosts",
            "[http]\nallowed_hosts = \"http://x\"",
            "line 2: http.allowed_hosts must be a list of host names",
        ),
        ("table as value", "listen = { port = 1 }", "line 1: listen must be an address and a port"),
        ("no TOML", "listen = \n", "line 1: this is not TOML"),
        ("twice", "country = \"US\"\ncountry = \"GB\"", "line 2: this is not TOML: duplicate key"),
    ];
    for (name, text, expected) in rows {
        let told = file(text).map(|_| ()).expect_err(name);
        assert!(told.starts_with(&format!("otpgate.toml {expected}")), "{name}: {told}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let told = load("lissten = 1\ndrain_seconds = 0", &[("OTPGATE_LISTN", "x")], Flags::default()).unwrap_err();
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.contains("OTPGATE_LISTN: there is no such setting; did you mean OTPGATE_LISTEN?"), "{told}");
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let text = "listen = \"127.0.0.1:1\"\ncountry = \"de\"\ndata_dir = \"/f\"\n[http]\nallowed_hosts = [\"A.example\"]";
    let variables = [("OTPGATE_LISTEN", "127.0.0.1:2"), ("OTPGATE_DATA_DIR", "/e"), ("OTPGATE_CODES_MIN_LENGTH", "4")];
    let flags = Flags { listen: Some("127.0.0.1:3".parse().unwrap()), ..Flags::default() };
    let loaded = load(text, &variables, flags).unwrap();
    let rows: Vec<_> = loaded.rows().map(|(name, value, origin)| format!("{name} = {value} ({origin})")).collect();
    for expected in [
        "listen = \"127.0.0.1:3\" (--listen)",
        "data_dir = \"/e\" (OTPGATE_DATA_DIR)",
        "country = \"DE\" (otpgate.toml line 2)",
        "http.allowed_hosts = [\"a.example\"] (otpgate.toml line 5)",
        "codes.min_length = 4 (OTPGATE_CODES_MIN_LENGTH)",
        "drain_seconds = 60 (default)",
    ] {
        assert!(rows.iter().any(|row| row == expected), "{expected} is not in {rows:#?}");
    }
}

#[test]
fn the_environment_is_read_as_what_its_setting_wants() {
    let variables = [
        ("OTPGATE_HTTP_PLAIN_HTTP", "true"),
        ("OTPGATE_HTTP_ALLOWED_HOSTS", "a.example, b.example"),
        ("OTPGATE_STATUS_REPORTS", "false"),
        ("OTPGATE_COUNTRY", ""),
        ("OTPGATE_URL", "http://x"),
        ("OTPGATE_API_KEY", "secret"),
        ("OTPGATE_REFERENCE", "/r"),
        ("OTPGATE_TEST_ANYTHING", "1"),
        ("PATH", "/bin"),
    ];
    let config = load("", &variables, Flags::default()).unwrap().config;
    assert_eq!(config.http.allowed_hosts, ["a.example", "b.example"]);
    assert!(config.http.plain_http && !config.status_reports);
    assert_eq!(config.country, None, "an empty variable says nothing");
    for (variable, hint) in [
        ("OTPGATE_SIM_CARD_ICCID", "[[sim_card]]"),
        ("OTPGATE_ROUTE_PREFIX", "[[route]]"),
        ("OTPGATE_MODEM", "[[modem]]"),
        ("OTPGATE_MODEMS", "--modem"),
        ("OTPGATE_MODE", ""),
    ] {
        let told = load("", &[(variable, "/dev/a")], Flags::default()).unwrap_err();
        assert!(told.contains(hint) && !told.contains("did you mean OTPGATE_MODEM?"), "{told}");
    }
    assert!(!format!("{:?}", environment(&variables)).contains("secret"));
}

#[test]
fn modems_of_the_flags_keep_the_delays_of_the_file() {
    let text = "[[modem]]\nport = \"/dev/a\"\nprompt_delay_ms = 70\n[[modem]]\nport = \"/dev/b\"";
    let flags = Flags { modems: vec!["/dev/c".into(), "/dev/a".into()], ..Flags::default() };
    let modems = load(text, &[], flags).unwrap().config.modems;
    assert_eq!(modems.iter().map(|m| m.port.to_str().unwrap()).collect::<Vec<_>>(), ["/dev/c", "/dev/a"]);
    assert_eq!(modems[1].prompt_delay, Some(Duration::from_millis(70)));

    let simulate = Some(Simulate { modems: 2, air_time: Duration::ZERO });
    let loaded = load(text, &[], Flags { simulate, ..Flags::default() }).unwrap();
    assert!(loaded.config.modems.is_empty(), "real modems are left alone by the simulator");
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn the_data_folder_is_never_the_working_directory() {
    type Row = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let rows: [Row; 5] = [
        (&[], "/home/ada/.local/state/otpgate", "/home/ada/.local/state/otpgate-simulated"),
        (&[("XDG_STATE_HOME", "/s")], "/s/otpgate", "/s/otpgate-simulated"),
        (&[("XDG_STATE_HOME", "s")], "/home/ada/.local/state/otpgate", "/home/ada/.local/state/otpgate-simulated"),
        (&[("STATE_DIRECTORY", "/var/lib/o")], "/var/lib/o", "/var/lib/o/simulated"),
        (&[("STATE_DIRECTORY", "/a:/b"), ("XDG_STATE_HOME", "/s")], "/a", "/a/simulated"),
    ];
    for (variables, real, simulated) in rows {
        assert_eq!(default_data_dir(false, &environment(variables)), Path::new(real));
        assert_eq!(default_data_dir(true, &environment(variables)), Path::new(simulated));
    }
    assert_eq!(default_data_dir(false, &Environment::default()), Path::new("/var/lib/otpgate"));
}

#[test]
fn serve_needs_a_country_a_modem_and_a_safe_address() {
    let told = file("listen = \"0.0.0.0:8480\"").unwrap().config.check().unwrap_err().to_string();
    for line in ["country = \"US\"", "--modem", "plain_http = true"] {
        assert!(told.contains(line), "{told}");
    }
    let right = "listen = \"0.0.0.0:8480\"\ncountry = \"US\"\n[http]\nplain_http = true\n[[modem]]\nport = \"/dev/a\"";
    let loaded = file(right).unwrap();
    assert_eq!(loaded.config.check(), Ok(()));
    let plain = loaded.warnings.iter().filter(|w| w.starts_with("plain_http")).count();
    assert_eq!(plain, 1, "it is said all the same: {:?}", loaded.warnings);
    let simulate = Some(Simulate { modems: 2, air_time: Duration::ZERO });
    assert_eq!(load("", &[], Flags { simulate, ..Flags::default() }).unwrap().config.check(), Ok(()));
}

#[test]
fn a_file_that_others_may_read_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("otpgate.toml");
    std::fs::write(&path, "country = \"US\"").unwrap();
    let flags = Flags { file: Some(path.clone()), ..Flags::default() };
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = Config::load(&flags, &environment(&[])).unwrap().warnings;
        let told = warnings.iter().any(|w| w.contains(&format!("chmod 600 {}", path.display())));
        assert_eq!(told, warned, "{mode:o}: {warnings:?}");
    }
    let credentials = [("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap())];
    assert!(Config::load(&flags, &environment(&credentials)).unwrap().warnings.is_empty(), "systemd's own");
    let none = Flags { file: Some("/dev/null".into()), ..Flags::default() };
    assert!(Config::load(&none, &environment(&[])).unwrap().warnings.is_empty(), "no file at all");
}

#[test]
fn each_sim_card_has_its_own_limits_and_the_default_where_it_says_nothing() {
    let card = "[[sim_card]]\niccid = \"8944000000000000000\"\n";
    let text = format!("[sim_limits]\nper_day = 7\ntime_zone = \"UTC\"\n{card}[sim_card.limits]\nper_hour = 3");
    let config = file(&text).unwrap().config;
    let limits = config.sim_cards[0].limits.over(&config.sim_limits.limits);
    assert_eq!((limits.per_hour, limits.per_day, limits.per_minute), (Some(3), Some(7), Some(10)));
    assert_eq!((limits.per_month, limits.billing_day), (None, Some(1)));
    assert_eq!(limits.time_zone, Some(jiff::tz::TimeZone::UTC));
    assert_eq!(config.sim_limits.mode, None, "enforced, but for virtual SIM cards");
    let simulate = Some(Simulate { modems: 1, air_time: Duration::ZERO });
    assert_eq!(load("", &[], Flags { simulate, ..Flags::default() }).unwrap().config.sim_limits.mode, Some(Mode::Off));
}

#[test]
fn a_plan_of_which_nothing_is_said_is_warned_of_once() {
    let card = |n: u8, allowed: &str| format!("[[sim_card]]\niccid = \"894400000000000000{n}\"\n{allowed}\n");
    let allowed = "plan_allows_automated_sms = true";
    let modem = "country = \"GB\"\n[[modem]]\nport = \"/dev/a\"\n";
    let rows = [
        (modem.to_owned(), 1),
        (format!("{modem}{}", card(1, allowed)), 0),
        (format!("{modem}{}", card(1, "plan_allows_automated_sms = false")), 0),
        (format!("{modem}{}{}{}", card(1, ""), card(2, allowed), card(3, "")), 1),
        (String::new(), 0),
    ];
    for (text, warnings) in rows {
        assert_eq!(file(&text).unwrap().warnings.len(), warnings, "{text}");
    }
    let four: String = (0..4).map(|n| format!("[[modem]]\nport = \"/dev/{n}\"\n")).collect();
    let text = format!("country = \"GB\"\n{four}{}", card(1, allowed));
    let told = file(&text).unwrap().warnings;
    assert!(told.len() == 1 && told[0].contains("SIM farms"), "{told:?}");
}

#[test]
fn canaries_are_off_until_somebody_asks_and_need_a_number() {
    let card = "[[sim_card]]\niccid = \"8944000000000000000\"\n";
    let number = "number = \"+447700900123\"\n";
    let canary = "[canary]\nevery_hours = 24\n";
    for (text, every, cards, told) in [
        (String::new(), None, 0, 0),
        (format!("{card}{number}"), None, 1, 0),
        (format!("{card}{canary}"), Some(24), 0, 1),
        (format!("{card}{number}{canary}"), Some(24), 1, 0),
    ] {
        let loaded = file(&text).unwrap();
        let every = every.map(|hours: u64| Duration::from_secs(hours * 3600));
        assert_eq!((loaded.config.canary.every, loaded.config.canaries().len()), (every, cards), "{text}");
        assert_eq!(loaded.warnings.iter().filter(|w| w.starts_with("[canary]")).count(), told, "{text}");
    }
    assert_eq!(Config::defaults(None, &environment(&[])).canary.within, Duration::from_secs(600));
}

#[test]
fn a_port_that_may_be_another_tomorrow_is_warned_of() {
    for (port, warnings) in [("/dev/ttyUSB0", 1), ("/dev/ttyACM3", 1), ("/dev/serial/by-id/x", 0), ("/tmp/ttyUSB0", 0)]
    {
        let told = file(&format!("[[modem]]\nport = \"{port}\"")).unwrap().warnings;
        assert_eq!(told.iter().filter(|w| w.contains("after the next plug")).count(), warnings, "{port}");
    }
}

/// The sample is the documentation of the settings: it must name them all, every value in it must be taken, and what it
/// calls a default must be one.
#[test]
fn the_sample_lists_every_setting_with_its_default() {
    let sample = include_str!("../../otpgate.sample.toml");
    let is_setting =
        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let text: String = sample
        .lines()
        .filter_map(|line| line.strip_prefix("# ").or(line.strip_prefix('#')).filter(|line| is_setting(line)))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut errors = Vec::new();
    let in_sample: Vec<String> =
        source::from_toml(Path::new("sample"), &text, &mut errors).into_iter().map(|entry| entry.name).collect();
    for name in settings::all_names() {
        assert!(
            in_sample.iter().any(|n| n == name),
            "write {name} into otpgate.sample.toml, with its default and reason"
        );
    }
    let loaded = file(&text).unwrap_or_else(|told| panic!("otpgate.sample.toml: {told}"));
    let defaults = Config::defaults(None, &environment(&[]));
    // These have no default that could be written down; the sample shows an example.
    let examples = [
        "canary.every_hours",
        "country",
        "data_dir",
        "guard.per_key_day",
        "guard.per_key_hour",
        "guard.per_key_minute",
        "master_key_file",
        "modem",
        "purpose",
        "route",
        "sim_card",
        "sim_limits.per_month",
        "sim_limits.time_zone",
        "template",
        "webhook.ca_file",
    ];
    for (name, value, _) in loaded.rows().filter(|(name, ..)| !examples.contains(name)) {
        assert_eq!(value, settings::show(&defaults, name), "otpgate.sample.toml has another default for {name}");
    }
    assert!(sample.lines().all(|line| line.is_empty() || line.starts_with('#')), "the sample sets nothing by itself");
}

#[test]
fn a_route_that_names_nobody_leads_nowhere() {
    let nowhere = file("[[route]]\nprefix = \"+49\"\nstrict = true").unwrap().config.check().unwrap_err();
    assert!(nowhere.to_string().contains("[[route]] +49 leads nowhere"), "{nowhere}");
    let config = file("[[route]]\nprefix = \"+49\"\noperator = \"Telekom.de\"").unwrap().config;
    let route = &config.routes[0];
    assert_eq!((route.operator.as_deref(), route.strict), (Some("Telekom.de"), false));
}

#[test]
fn t5_templates_are_proven_when_they_are_read() {
    let named = |rest: &str| format!("[[template]]\nname = \"t\"\n{rest}");
    let rows = [
        (
            "an unknown place",
            named("text = \"{code} {who}\""),
            "line 3: template.text is no template: there is no {who}; there are {code} {brand}",
        ),
        ("no code", named("text = \"your code\""), "line 3: template.text is no template: {code} is missing"),
        ("two codes", named("text = \"{code} {code}\""), "line 3: template.text is no template: {code} is there twice"),
        (
            "a link",
            named("text = { en = \"{code} for acme.com\" }"),
            "line 3: template.text for en is no template: something in it looks like a web address",
        ),
        (
            "a line of one's own",
            named("text = \"@acme #{code}\""),
            "line 3: template.text is no template: @, # and <#> are not for templates",
        ),
        (
            "no language",
            named("text = { de_DE = \"{code}\" }"),
            "line 3: template.text has \"de_DE\", which is no language tag",
        ),
        (
            "no form",
            named("form = \"sms\""),
            "line 3: template.form must be one of \"plain\", \"consent\", \"webotp\", \"retriever\"",
        ),
        (
            "no brand",
            named("brand = \"acme.com\""),
            "line 3: template.brand can't be shown: a brand may not look like a web address",
        ),
        (
            "a name that is taken",
            "[[template]]\nname = \"default\"".to_owned(),
            "line 2: template.name must be another name",
        ),
        ("a name twice", named("[[template]]\nname = \"t\""), "line 4: template.name t is named twice"),
        (
            "no name",
            "[[template]]\ntext = \"{code}\"".to_owned(),
            "line 1: [[template]] has no name; write name = \"login\"",
        ),
        (
            "a purpose with a link",
            "[[purpose]]\nname = \"log-in\"\nwords = \"see acme.com\"".to_owned(),
            "line 3: purpose.words can't be shown",
        ),
        (
            "no alphabet",
            "[codes]\nalphabet = \"letters\"".to_owned(),
            "line 2: codes.alphabet must be one of \"digits\", \"alphanumeric\"",
        ),
    ];
    for (name, text, expected) in rows {
        let told = file(&text).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(expected), "{name}: {told}");
    }
    let checked = |rest: &str| file(&named(rest)).unwrap().config.check().map_err(|told| told.to_string());
    let long = format!(
        "text = {{ default = \"{{code}} {}\", de = \"{{code}} {{brand}} {}\" }}",
        "x".repeat(149),
        "x".repeat(118)
    );
    let told = checked(&long).unwrap_err();
    assert!(told.contains("[[template]] t: text.de is too long") && !told.contains("text.default"), "{told}");
    assert!(checked("brand = \"Acme\"").unwrap_err().contains("[[template]] t has no text"));
    let in_turn = format!("text = [\"{{code}} {{brand}} {}\", \"{{code}}\"]", "x".repeat(118));
    let told = checked(&in_turn).unwrap_err();
    assert!(!told.contains("template"), "the shortest one fits: {told}");
    let config = file(&named("form = \"webotp\"\ntext.default = \"{code}\"\ntext.pt-BR = \"{code}.\"")).unwrap().config;
    let template = config.templates.template("t").unwrap();
    assert_eq!((template.form.as_str(), template.texts.len()), ("webotp", 2));
}
