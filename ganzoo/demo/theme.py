"""The theme of the demo, light and dark, with the system's fonts."""

from __future__ import annotations

from gradio import themes

SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "DejaVu Sans",
    "sans-serif",
)
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> themes.Base:
    """Gradio's base theme with a muted teal, thin lines, and no shadows."""
    made = themes.Base(
        primary_hue=themes.colors.teal,
        secondary_hue=themes.colors.teal,
        neutral_hue=themes.colors.slate,
        radius_size=themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    )
    made.name = "ganzoo"
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="none",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_large_text_size="*text_md",
        button_large_padding="*spacing_md *spacing_lg",
        slider_color="*primary_600",
        # at least 4.5 to 1 on every ground that they stand on
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        link_text_color="*primary_700",
        link_text_color_hover="*primary_800",
        link_text_color_active="*primary_700",
        link_text_color_visited="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_active_dark="*primary_300",
        link_text_color_visited_dark="*primary_300",
    )


CSS = """
.gradio-container { max-width: 1180px !important; width: 100% !important;
  margin: 0 auto !important; }
#title { padding: 0.4rem 0.2rem 0; }
#title h1 { font-size: 1.7rem; margin: 0; letter-spacing: -0.02em; }
#title p { margin: 0.15rem 0 0; opacity: 0.75; }
.part { margin-top: 0.6rem; }
.part h2 { font-size: 1.15rem; }
button[role="tab"][aria-selected="true"] { color: var(--primary-700) !important; }
.dark button[role="tab"][aria-selected="true"] { color: var(--primary-300) !important; }
button:focus-visible, a:focus-visible, input:focus-visible, textarea:focus-visible,
canvas:focus-visible, [tabindex="0"]:focus-visible {
  outline: 2px solid var(--primary-600) !important;
  outline-offset: 2px; }
/* a column of a sheet, named */
#columns { margin-bottom: -0.6rem; }
.columns { display: grid; gap: 0; text-align: center; font-size: 0.78rem; line-height: 1.15;
  align-items: end; }
.columns span { overflow-wrap: normal; hyphens: auto; padding: 0 1px; }
.note { opacity: 0.8; font-size: 0.92rem; overflow: visible !important; }
.note p { margin: 0.2rem 0; }
/* what a picture shows stands above it, and hides nothing of it */
.picture label[data-testid="block-label"], .examples label[data-testid="block-label"],
.drawn label[data-testid="block-label"], .taken label[data-testid="block-label"] {
  position: static; border: none; }
/* the icon before a label says nothing, and takes the room of words on a phone */
label[data-testid="block-label"] > span { display: none; }
.picture .image-container, .picture .image-frame { height: auto; position: static; }
.picture img { object-fit: contain; width: 100%; height: auto; border-radius: 6px; }
/* below the label, which has a line of its own, and above the ways to give a picture */
.taken .image-container { height: calc(100% - 25px); }
.taken img { object-fit: contain; width: 100%; height: 100%; }
.gallery-container .grid-wrap, .grid-wrap.fixed-height { min-height: 0 !important; }
.examples .grid-wrap { height: auto !important; padding: 4px; }
/* the name of an example stands below it, whole */
.examples .thumbnail-item { aspect-ratio: auto; height: auto !important; display: flex;
  flex-direction: column; }
.examples .thumbnail-item img { aspect-ratio: 1; width: 100%; height: auto !important;
  min-height: 0; object-fit: cover; }
.examples .caption-label { position: static; width: 100%; max-width: 100% !important;
  padding: 2px 1px 3px !important; border: 0 !important; border-radius: 0 !important;
  background: none !important; opacity: 1 !important; color: var(--body-text-color);
  font-size: 0.68rem !important; line-height: 1.15; text-align: center !important;
  white-space: normal !important; overflow: visible !important; overflow-wrap: anywhere; }
.examples .grid-container { grid-template-columns: repeat(5, minmax(0, 1fr)) !important; }
.drawn .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
.examples .grid-container, .drawn .grid-container { grid-auto-rows: auto !important;
  grid-template-rows: none !important; height: auto !important; align-content: start; }
input[type="range"] { --neutral-200: #cbd5e1; }
.dark input[type="range"] { --neutral-200: #334155; }
.katex-display { overflow-x: auto; overflow-y: hidden; padding: 0.3rem 0; }
.prose table { display: block; overflow-x: auto; max-width: 100%; }
.prose td, .prose th { overflow-wrap: normal; word-break: normal; min-width: 4.5rem; }
.prose td:first-child { white-space: nowrap; }
.prose td:last-child:not(:first-child) { min-width: 11rem; }
.prose pre { overflow-x: auto; }
.prose table { border: none !important; width: max-content; }
.prose td, .prose th { overflow-wrap: normal !important; word-break: normal !important; }
.prose table td, .prose table th { border-color: var(--border-color-primary) !important; }
.verdict { padding: 0.9rem 1rem; }
.verdict .word { font-size: 1.25rem; font-weight: 650; }
.verdict .said { margin-bottom: 0.6rem; }
.verdict .bar { position: relative; height: 14px; border-radius: 7px; }
.verdict .mark { position: absolute; top: -5px; width: 4px; height: 24px; border-radius: 2px;
  background: currentColor; transform: translateX(-2px); }
.verdict .line { position: absolute; top: -3px; left: 50%; height: 20px;
  border-left: 2px dashed currentColor; opacity: 0.55; }
.verdict .under { text-align: center; font-size: 0.85rem; margin-top: 0.5rem; opacity: 0.8; }
.share { align-items: flex-start; flex-wrap: wrap; }
#beside-another { max-width: 260px; }
input[role="combobox"] { text-overflow: ellipsis; }
.share > .block, .share > .column, .share > .form { min-width: min(100%, 270px) !important; }
#laboratory .html-container { padding: 0 !important; }
.laboratory { width: 100%; height: 1400px; border: 0; display: block; }
footer .divider { display: none; }
@media (max-width: 640px) {
  .gradio-container { padding: 0.5rem !important; }
  #title h1 { font-size: 1.35rem; }
  .columns { font-size: 0.7rem; }
  .columns span { writing-mode: vertical-rl; transform: rotate(180deg); justify-self: center; }
  .drawn .grid-container { grid-template-columns: repeat(2, minmax(0, 1fr)) !important; }
  .share { flex-direction: column; align-items: stretch; }
  .katex-display { font-size: 0.76rem; }
  .picture label[data-testid="block-label"] { font-size: 0.72rem; padding-left: 4px; }
  .main.fillable { padding: 12px !important; }
  .seen-first { flex-direction: column-reverse; align-items: stretch; }
}
"""
