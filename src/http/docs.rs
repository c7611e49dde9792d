//! `/ui/docs`: the API's description for people. Made once from the same document that programs get, and nothing in it is
//! fetched from elsewhere or runs: a page that works without a network, and with scripts forbidden.

use super::openapi::{Json, document, resolved};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

/// The page.
pub(super) async fn page() -> impl IntoResponse {
    static PAGE: LazyLock<String> = LazyLock::new(|| Page { document: document(), html: String::new() }.whole());
    (StatusCode::OK, headers("text/html; charset=utf-8"), PAGE.as_str())
}

/// How it looks.
pub(super) async fn style() -> impl IntoResponse {
    (StatusCode::OK, headers("text/css; charset=utf-8"), include_str!("docs.css"))
}

/// From where somebody's browser begins.
pub(super) async fn to_docs() -> Redirect {
    Redirect::temporary("/ui/docs")
}

fn headers(kind: &'static str) -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_TYPE, kind),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

/// The page as far as it is written.
struct Page<'a> {
    document: &'a Json,
    html: String,
}

impl<'a> Page<'a> {
    fn whole(mut self) -> String {
        let nothing = Json::Array(Vec::new());
        let info = self.document.get("info").unwrap_or(&nothing);
        let (title, version) = (text(info, "title"), text(info, "version"));
        self.put("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        self.put(&format!("<title>{0} API</title><link rel=\"stylesheet\" href=\"/ui/docs.css\"></head><body><header><h1>{0} <small>{1}</small></h1><p>", escaped(title), escaped(version)));
        self.put(&format!(
            "{}</p><p><a href=\"/openapi.json\">openapi.json</a></p></header><nav>",
            escaped(text(info, "summary"))
        ));
        let tags = self.document.get("tags").unwrap_or(&nothing).items();
        for tag in tags {
            let name = text(tag, "name");
            self.put(&format!("<h2><a href=\"#{0}\">{0}</a></h2><ul>", escaped(name)));
            for Operation { id, method, path, .. } in self.operations(name) {
                self.put(&format!(
                    "<li><a href=\"#{id}\"><b class=\"{method}\">{method}</b> {}</a></li>",
                    escaped(path)
                ));
            }
            self.put("</ul>");
        }
        self.put("</nav><main>");
        self.prose(text(info, "description"));
        for tag in tags {
            let name = text(tag, "name");
            self.put(&format!("<section id=\"{0}\"><h2>{0}</h2>", escaped(name)));
            self.prose(text(tag, "description"));
            for operation in self.operations(name) {
                self.operation(&operation);
            }
            self.put("</section>");
        }
        self.put("</main></body></html>\n");
        self.html
    }

    fn put(&mut self, html: &str) {
        self.html.push_str(html);
    }

    /// A description: paragraphs, lists, and what stands in backticks or asterisks.
    fn prose(&mut self, words: &str) {
        for paragraph in words.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
            let html = match paragraph.strip_prefix("- ") {
                Some(list) => format!("<ul><li>{}</li></ul>", inline(list).replace("\n- ", "</li><li>")),
                None => format!("<p>{}</p>", inline(paragraph)),
            };
            self.put(&html);
        }
    }

    fn operations(&self, tag: &str) -> Vec<Operation<'a>> {
        let paths = self.document.get("paths").into_iter().flat_map(Json::members);
        let all = paths.flat_map(|(path, item)| {
            let methods = item.members().iter().filter(|(method, _)| method != "parameters");
            methods.map(move |(method, operation)| Operation {
                id: text(operation, "operationId"),
                method,
                path,
                item,
                operation,
            })
        });
        all.filter(|o| o.operation.get("tags").is_some_and(|tags| tags.items().iter().any(|t| t.text() == tag)))
            .collect()
    }

    fn operation(&mut self, o: &Operation<'a>) {
        let (method, path, summary) = (o.method, escaped(o.path), escaped(text(o.operation, "summary")));
        self.put(&format!("<details class=\"operation\"><summary><b class=\"{method}\">{method}</b> <code>{path}</code> <span>{summary}</span></summary>"));
        // Within: a browser opens what a link leads into.
        self.put(&format!("<div id=\"{}\"></div>", o.id));
        self.prose(text(o.operation, "description"));
        let needs = o.operation.get("security").or(self.document.get("security")).map_or(&[][..], Json::items);
        let scopes = needs.first().and_then(|needs| needs.get("key")).map(Json::items);
        self.prose(&match scopes {
            None => "Needs no key.".to_owned(),
            Some([]) => "Needs a key, of any scope.".to_owned(),
            Some(scopes) => {
                let words: Vec<_> = scopes.iter().map(|scope| format!("`{}`", scope.text())).collect();
                format!("Needs a key with the scope {}.", words.join(" or "))
            }
        });
        let parameters = [o.item, o.operation].into_iter().filter_map(|of| of.get("parameters")).flat_map(Json::items);
        let parameters: Vec<_> = parameters.map(|parameter| resolved(self.document, parameter)).collect();
        if !parameters.is_empty() {
            self.put("<h3>Parameters</h3><dl>");
            for parameter in parameters {
                let schema = parameter.get("schema").unwrap_or(parameter);
                let (name, place) = (text(parameter, "name"), text(parameter, "in"));
                let needed = parameter.get("required").is_some();
                let words = [text(parameter, "description"), text(resolved(self.document, schema), "description")];
                let words = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
                self.field(name, &format!("{place}, {}", self.kind(schema)), needed, words);
                self.put("</dd>");
            }
            self.put("</dl>");
        }
        if let Some(body) = o.operation.get("requestBody").map(|body| resolved(self.document, body)) {
            self.put("<h3>Body</h3>");
            self.prose(text(body, "description"));
            let media = body.get("content").and_then(|content| content.get("application/json"));
            if let Some(schema) = media.and_then(|media| media.get("schema")) {
                self.fields(schema);
            }
            let examples = media.and_then(|media| media.get("examples")).map_or(&[][..], Json::members);
            for (_, example) in examples {
                self.prose(text(example, "summary"));
                self.curl(o, example.get("value"));
            }
        } else {
            self.curl(o, None);
        }
        self.put("<h3>Answers</h3>");
        for (status, answer) in o.operation.get("responses").map_or(&[][..], Json::members) {
            let open = if status.starts_with('2') { " open" } else { "" };
            self.put(&format!(
                "<details class=\"answer\"{open}><summary><b class=\"s{}\">{status}</b></summary>",
                &status[..1]
            ));
            self.prose(text(answer, "description"));
            let media = answer.get("content").and_then(|content| content.get("application/json"));
            if let Some(schema) = media.and_then(|media| media.get("schema")) {
                self.fields(schema);
            }
            for (_, example) in media.and_then(|media| media.get("examples")).map_or(&[][..], Json::members) {
                if let Some(value) = example.get("value") {
                    let json = serde_json::to_string_pretty(value).unwrap_or_default();
                    self.put(&format!("<pre>{}</pre>", escaped(&json)));
                }
            }
            self.put("</details>");
        }
        self.put("</details>");
    }

    /// A request that can be pasted into a shell.
    fn curl(&mut self, o: &Operation<'a>, body: Option<&Json>) {
        let mut line = "curl".to_owned();
        if o.method != "get" && !(o.method == "post" && body.is_some()) {
            let _ = write!(line, " -X {}", o.method.to_uppercase());
        }
        let _ = write!(line, " \"$OTPGATE_URL{}\"", o.path);
        let security = o.operation.get("security").map(Json::items);
        if security != Some(&[]) {
            line += " \\\n  -H \"Authorization: Bearer $OTPGATE_API_KEY\"";
        }
        if let Some(body) = body {
            let json = serde_json::to_string_pretty(body).unwrap_or_default().replace('\'', "'\\''");
            let _ = write!(line, " \\\n  -H 'Content-Type: application/json' \\\n  -d '{json}'");
        }
        self.put(&format!("<pre>{}</pre>", escaped(&line)));
    }

    /// The members of an object, and of the objects in it.
    fn fields(&mut self, schema: &'a Json) {
        let schema = self.plain(schema);
        let fields = schema.get("properties").map_or(&[][..], Json::members);
        if fields.is_empty() {
            return;
        }
        let required = schema.get("required").map_or(&[][..], Json::items);
        self.put("<dl>");
        for (name, of) in fields {
            let needed = required.iter().any(|required| required.text() == name);
            let words = [of, self.plain(of)].map(|schema| text(schema, "description"));
            let words = words.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
            self.field(name, &self.kind(of), needed, words);
            let within = self.plain(of);
            let within = within.get("items").or(within.get("additionalProperties")).map_or(within, |of| self.plain(of));
            if within.get("properties").is_some() {
                self.put("<details><summary>its members</summary>");
                self.fields(within);
                self.put("</details>");
            }
            self.put("</dd>");
        }
        self.put("</dl>");
    }

    /// The line of a field; its description is left open for what belongs to it.
    fn field(&mut self, name: &str, kind: &str, needed: bool, words: &str) {
        // What may be left out may be null.
        let kind = if needed { kind } else { kind.strip_suffix(", or null").unwrap_or(kind) };
        let needed = if needed { "" } else { "<i>, optional</i>" };
        self.put(&format!(
            "<dt><code>{}</code> <small>{kind}</small>{needed}</dt><dd>{}",
            escaped(name),
            inline(words)
        ));
    }

    /// What a schema is but for the possibility of null.
    fn plain(&self, schema: &'a Json) -> &'a Json {
        let schema = resolved(self.document, schema);
        let mut of = schema.get("anyOf").map_or(&[][..], Json::items).iter().map(|one| resolved(self.document, one));
        of.find(|one| text(one, "type") != "null").unwrap_or(schema)
    }

    /// Its type and limits in a few words.
    fn kind(&self, schema: &'a Json) -> String {
        let or_null = schema.get("anyOf").is_some() || schema.get("type").is_some_and(|t| t.items().len() > 1);
        let schema = self.plain(schema);
        let types = schema.get("type").map_or(&[][..], Json::items).iter().map(Json::text);
        let name = types.chain([text(schema, "type")]).find(|name| !["", "null"].contains(name)).unwrap_or("any");
        let number = |name| schema.get(name).map(|n| serde_json::to_string(n).unwrap_or_default());
        let span = |least: Option<String>, most: Option<String>, unit: &str| match (least, most) {
            (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
            (Some(least), None) if least != "0" => format!(", {least} or more{unit}"),
            _ => String::new(),
        };
        let mut kind = match (text(schema, "format"), schema.get("items")) {
            ("date-time", _) => "time".to_owned(),
            (_, Some(items)) => format!("list of {}", self.kind(items)),
            _ => name.to_owned(),
        };
        if let Some(words) = schema.get("enum") {
            let words: Vec<_> =
                words.items().iter().filter(|w| **w != Json::Leaf(Value::Null)).map(Json::text).collect();
            kind = words.iter().map(|word| format!("<code>{}</code>", escaped(word))).collect::<Vec<_>>().join(", ");
        }
        kind += &span(number("minimum"), number("maximum").filter(|most| most.len() < 10), "");
        kind += &span(number("minLength"), number("maxLength"), " characters");
        if let Some(default) = number("default") {
            let _ = write!(kind, ", else {}", escaped(&default));
        }
        if or_null { kind + ", or null" } else { kind }
    }
}

/// One request.
struct Operation<'a> {
    id: &'a str,
    method: &'a str,
    path: &'a str,
    item: &'a Json,
    operation: &'a Json,
}

fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of.get(name).map_or("", Json::text)
}

/// Words with code in backticks and stress in asterisks.
fn inline(words: &str) -> String {
    let marked = |text: &str, mark: char, tag: &str| {
        let pieces = text.split(mark).enumerate();
        pieces.map(|(n, piece)| if n % 2 == 1 { format!("<{tag}>{piece}</{tag}>") } else { piece.to_owned() }).collect()
    };
    let coded: String = marked(&escaped(words), '`', "code");
    // An asterisk within code is one.
    if coded.contains("<code>") { coded } else { marked(&coded, '*', "em") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
