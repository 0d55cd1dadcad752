//! The demo model with a chat template that shows tools, in a folder of its own: what it says of them is noise, and what
//! it may say is not.

use std::{fs, path::Path};

use assay_model::{FileEntry, Manifest, manifest};

use crate::{binaries::demo_model, money::PRICE};

const TEMPLATE: &str = "{%- if tools %}{{ '<|im_start|>system\\n' }}{%- if messages[0].role == 'system' %}{{ messages[0].content + '\\n\\n' }}{%- endif %}\
{{ '# Tools\\n\\n<tools>\\n' }}{%- for tool in tools %}{{ tool | tojson + '\\n' }}{%- endfor %}{{ '</tools><|im_end|>\\n' }}{%- endif %}\
{%- for message in messages %}{%- if not (tools and loop.first and message.role == 'system') %}\
{{ '<|im_start|>' + message.role + '\\n' + message.content }}{%- for call in message.tool_calls %}\
{{ '\\n<tool_call>\\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' + (call.function.arguments | tojson) + '}\\n</tool_call>' }}\
{%- endfor %}{{ '<|im_end|>\\n' }}{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";

/// Makes `folder` that model; gives a gateway's settings for it.
///
/// # Panics
/// When a file is missing or cannot be written.
pub fn taught_tools(folder: &Path) -> String {
    let (shipped, _) = Manifest::load(&demo_model()).expect("the demo's manifest");
    fs::create_dir(folder.join("onnx")).expect("a folder for graphs");
    for path in shipped.files.keys().filter(|path| **path != shipped.chat_template) {
        let (from, to) = (demo_model().join(path), folder.join(path));
        fs::hard_link(&from, &to)
            .or_else(|_| fs::copy(&from, &to).map(drop))
            .expect("a model file");
    }
    fs::write(folder.join(&shipped.chat_template), TEMPLATE).expect("a template");
    let entry = FileEntry::of(&folder.join(&shipped.chat_template)).expect("a template's hash");
    let mut manifest = shipped;
    manifest.files.insert(manifest.chat_template.clone(), entry);
    let json = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
    fs::write(folder.join(manifest::FILE_NAME), json).expect("a manifest");
    format!(
        "[[models]]\ndir = '{}'\nprice_input_nano_usd_per_mtok = {}\nprice_output_nano_usd_per_mtok = {}",
        folder.display(),
        PRICE.input,
        PRICE.output,
    )
}
