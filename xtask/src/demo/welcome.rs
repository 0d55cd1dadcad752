//! What a visitor is told once the demo runs.

use super::{Role, World};

/// A key, ready lines for curl and Python, and where to look.
pub(super) fn text(world: &World) -> String {
    let (url, key, model) = (world.base_url(), &world.key, &world.model);
    let nodes: Vec<String> = world
        .nodes
        .iter()
        .map(|node| match &node.role {
            Role::Worker => node.name.clone(),
            Role::Scorer => format!("{} (trusted: checks the others)", node.name),
            Role::Cheat(kind) => format!("{} (lies: {kind})", node.name),
        })
        .collect();
    let operators: Vec<String> =
        world.nodes.iter().map(|node| format!("{} {}", node.name, node.secret)).collect();
    format!(
        r#"
Assay is ready: {nodes}.

API key     {key}   (1,000 credits, paid in at a test checkout)
base URL    {url}

  curl {url}/chat/completions \
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello! Who are you?"}}]}}'

  # pip install openai
  from openai import OpenAI
  client = OpenAI(base_url="{url}", api_key="{key}")
  chat = client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "What is 3 + 4?"}}])
  print(chat.choices[0].message.content)

console     {gateway}/console/   (sign in with the key above, or as an operator)
operators   {operators}
API pages   {gateway}/docs   ("Authorize" there with the admin token, for /admin/v1)
admin token {token}
data, logs  {data}

Jobs as they are verified and paid (Ctrl-C stops everything):"#,
        nodes = nodes.join(", "),
        operators = operators.join("\n            "),
        gateway = world.gateway_url,
        token = world.admin.token(),
        data = world.data.path().display(),
    )
}
