//! Which requests go to a function: routes of an HTTP API.

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// In capital letters; `ANY` is every method.
    pub method: String,
    /// The path; `{name}` is any one segment, `{name+}` at the end the whole rest.
    pub path: String,
}

impl Route {
    /// Checks a route; the error says what was expected.
    pub(crate) fn new(method: &str, path: &str) -> Result<Route, &'static str> {
        const METHODS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "DELETE", "ANY"];
        let method = if method == "*" { "ANY".to_owned() } else { method.to_ascii_uppercase() };
        if !METHODS.contains(&method.as_str()) {
            return Err("a method of HTTP");
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err("a path that begins with /");
        };
        let segments: Vec<&str> = rest.split('/').collect();
        for (place, segment) in segments.iter().enumerate() {
            let is_last = place + 1 == segments.len();
            let fine = match variable(segment) {
                Some(name) => {
                    let name = if is_last { name.strip_suffix('+').unwrap_or(name) } else { name };
                    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                }
                None => !segment.contains(['{', '}']),
            };
            if !fine {
                return Err("{name} as a whole segment, or {name+} as the last");
            }
        }
        Ok(Route { method, path: path.to_owned() })
    }

    /// Whether a request is for this route. `{name+}` stands for at least one segment, so
    /// `/{proxy+}` is not for `/`.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if self.method != "ANY" && !self.method.eq_ignore_ascii_case(method) {
            return false;
        }
        let (Some(ours), Some(theirs)) = (self.path.strip_prefix('/'), path.strip_prefix('/')) else {
            return false;
        };
        let mut theirs = theirs.split('/');
        for ours in ours.split('/') {
            let Some(segment) = theirs.next() else { return false };
            let fits = match variable(ours) {
                Some(name) if name.ends_with('+') => return !segment.is_empty() || theirs.next().is_some(),
                Some(_) => !segment.is_empty(),
                None => ours == segment,
            };
            if !fits {
                return false;
            }
        }
        theirs.next().is_none()
    }

    /// How closely the route says what it is for: of several that match a request the API takes
    /// the greatest. A fixed path comes before a variable, a variable before the whole rest, and
    /// a named method before any.
    pub(crate) fn closeness(&self) -> (Vec<u8>, bool) {
        let segment = |segment: &str| match variable(segment) {
            Some(name) if name.ends_with('+') => 0,
            Some(_) => 1,
            None => 2,
        };
        (self.path.split('/').map(segment).collect(), self.method != "ANY")
    }
}

/// What stands between the braces, where a segment is a variable.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_takes_its_own_requests_only() {
        for (route, request, expected) in [
            (("GET", "/"), ("GET", "/"), true),
            (("GET", "/"), ("GET", "/a"), false),
            (("GET", "/"), ("POST", "/"), false),
            (("get", "/a"), ("GET", "/a"), true),
            (("*", "/a"), ("DELETE", "/a"), true),
            (("GET", "/{proxy+}"), ("GET", "/"), false),
            (("GET", "/{proxy+}"), ("GET", "/a"), true),
            (("GET", "/{proxy+}"), ("GET", "/a/b/c"), true),
            (("POST", "/api/{proxy+}"), ("POST", "/api/apply"), true),
            (("POST", "/api/{proxy+}"), ("POST", "/api"), false),
            (("POST", "/api/{proxy+}"), ("POST", "/apiary/x"), false),
            (("GET", "/pets/{id}"), ("GET", "/pets/6"), true),
            (("GET", "/pets/{id}"), ("GET", "/pets/"), false),
            (("GET", "/pets/{id}"), ("GET", "/pets/6/7"), false),
            (("GET", "/pets/{id}/toys"), ("GET", "/pets/6/toys"), true),
        ] {
            let made = Route::new(route.0, route.1).unwrap();
            assert_eq!(made.matches(request.0, request.1), expected, "{route:?} {request:?}");
        }
    }

    #[test]
    fn malformed_routes_are_refused() {
        for (method, path) in [
            ("FETCH", "/"),
            ("GET", "a"),
            ("GET", ""),
            ("GET", "/{a+}/b"),
            ("GET", "/{}"),
            ("GET", "/a{b}"),
            ("GET", "/{a b}"),
        ] {
            assert!(Route::new(method, path).is_err(), "{method} {path}");
        }
    }
}
