#pragma once
/// The look of the reports: one style sheet, light or dark as the reader's system is.
#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::report {

inline constexpr const char* style_sheet = R"(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1d2430;--soft:#667085;--line:#e3e6ec;--accent:#3563e9;
--track:#e8ecf4;--good:#15803d;--bad:#c2410c;--c0:#3563e9;--c1:#e2703a;--c2:#15803d;--c3:#a33bc2;--c4:#0e8fa3;--c5:#b7791f}
@media(prefers-color-scheme:dark){:root{--page:#12151b;--card:#1b2029;--text:#e7eaf0;--soft:#98a2b3;--line:#2b323e;
--accent:#7c9dff;--track:#2a3140;--good:#4ade80;--bad:#fb923c;--c0:#7c9dff;--c1:#fb923c;--c2:#4ade80;--c3:#d28bf0;
--c4:#3ec9de;--c5:#e3b341}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}
header{margin-bottom:28px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
header p{margin:0;color:var(--soft);font-size:16px}
h2{font-size:19px;margin:40px 0 6px;padding-top:20px;border-top:1px solid var(--line)}
p{margin:6px 0 14px;max-width:75ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:26px;line-height:1.15;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(var(--width,168px),1fr));gap:14px;margin:16px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden;display:flex;flex-direction:column}
.card .picture{background:#fff;display:flex;justify-content:center;align-items:center;aspect-ratio:1}
.card img{width:100%;height:100%;object-fit:contain;display:block}
.card img.pixels{image-rendering:pixelated}
.card .words{padding:10px 12px 12px;font-size:13px;line-height:1.4;overflow-wrap:anywhere}
.card .caption{font-weight:600}
.card .note{color:var(--soft)}
.card.good{border-color:var(--good)}
.card.bad{border-color:var(--bad)}
.card.good .note{color:var(--good)}
.card.bad .note{color:var(--bad)}
.bar{display:grid;grid-template-columns:1fr auto;column-gap:8px;margin-top:7px;font-size:12px;color:var(--soft)}
.bar i{grid-column:1/3;height:5px;border-radius:3px;background:var(--track);overflow:hidden}
.bar i s{display:block;height:100%;border-radius:3px;background:var(--soft);opacity:.55}
.bar.best{color:var(--text);font-weight:600}
.bar.best i s{background:var(--accent);opacity:1}
.bar span:nth-child(2){font-variant-numeric:tabular-nums}
.table{overflow-x:auto;margin:14px 0}
table{border-collapse:separate;border-spacing:0;background:var(--card);border:1px solid var(--line);border-radius:10px;
min-width:50%}
th,td{padding:8px 14px;text-align:left;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th{font-size:12.5px;color:var(--soft);font-weight:600}
.number{text-align:right;font-variant-numeric:tabular-nums}
.chart{margin:16px 0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px 10px}
.chart figcaption{font-weight:600;margin-bottom:6px}
.chart svg{width:100%;height:auto;display:block}
.chart text{font-size:11.5px;fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}
.curve{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}
.legend{margin:4px 0 0;font-size:13px;display:flex;gap:18px;flex-wrap:wrap;max-width:none}
.legend span::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;background:currentColor;
vertical-align:middle;margin-right:6px}
.legend em{color:var(--soft);font-style:normal;margin-left:auto}
pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px;overflow-x:auto;
font:13px/1.6 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
footer{margin-top:48px;color:var(--soft);font-size:13px}
@media print{body{background:#fff}.card,.tile,.chart{break-inside:avoid}}
)";

}  // namespace couplet::inline COUPLET_ABI::report
