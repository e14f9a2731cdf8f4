package report

// pageStyle is the style of a page. Colours come from the palette's variables.
const pageStyle = `*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:1080px;padding:0 24px 64px;font:16px/1.55 ` + sansFont + `;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
header{padding:56px 0 12px}
h1{font-size:clamp(28px,5vw,42px);line-height:1.12;letter-spacing:-.022em;margin:0 0 12px;font-weight:700;text-wrap:balance}
h2{font-size:24px;line-height:1.25;letter-spacing:-.014em;margin:56px 0 14px;padding-top:18px;border-top:1px solid var(--edge);font-weight:680;break-after:avoid}
h3{font-size:16px;margin:26px 0 8px;font-weight:650}
.subtitle{font-size:19px;line-height:1.45;color:var(--soft);max-width:44em;margin:0 0 22px;text-wrap:pretty}
.text{max-width:44em;margin:0 0 14px;text-wrap:pretty}
ul.text{padding-left:1.2em}
ul.text li{margin:0 0 5px}
.why{font-size:14px;line-height:1.45;color:var(--soft);margin:4px 0 8px;max-width:52em}
a{color:var(--turn)}
nav{display:flex;flex-wrap:wrap;gap:0 18px;font-size:14px;line-height:1.4}
nav a{text-decoration:none;padding:3px 0}
nav a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--turn);outline-offset:2px;border-radius:3px}
summary{cursor:pointer}
.charts{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px;margin:18px 0 24px}
.figure{margin:0;padding:16px 18px 12px;background:var(--card);border:1px solid var(--edge);border-radius:10px;break-inside:avoid;display:flex;flex-direction:column}
.figure.wide{grid-column:1/-1}
figcaption{margin:0 0 12px}
figcaption strong{display:block;font-size:16px;line-height:1.3;font-weight:650}
figcaption span{display:block;font-size:14px;line-height:1.45;color:var(--soft);margin-top:3px;max-width:60em}
.chart{display:block;width:100%;height:auto}
.figure:not(.wide) .chart,.chart.narrow{max-width:560px}
.wide .chart.narrow{display:none}
.data{margin-top:auto;padding-top:8px;font-size:13px}
.data summary,.transcript summary,details.facts summary{color:var(--soft)}
.data summary{font-size:12.5px}
.data table{font-size:12.5px}
.scroll{overflow-x:auto;margin:16px 0 12px}
table{border-collapse:collapse;font-size:14.5px;line-height:1.4;min-width:min(100%,420px)}
caption{text-align:left;font-weight:650;padding:0 0 8px;font-size:16px}
th,td{padding:7px 14px 7px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--edge)}
th:last-child,td:last-child{padding-right:2px}
thead th{font-size:13px;color:var(--soft);font-weight:600;vertical-align:bottom;border-bottom:1.5px solid var(--soft)}
tbody th{font-weight:500}
table:has(thead th:nth-child(10)) :is(th,td){font-size:12.5px}
table:has(thead th:nth-child(10)) :is(th,td):not(:first-child){padding-left:10px;padding-right:2px}
table:has(thead th:nth-child(10)) :is(th,td):first-child{min-width:11em}
th.group{font-size:13px;font-weight:650;color:var(--soft);padding-top:16px}
.number{text-align:right;padding-left:14px;white-space:nowrap}
td strong{font-weight:700}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,190px),1fr));gap:14px;margin:22px 0}
.figures div{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:14px 16px 13px;display:flex;flex-direction:column;break-inside:avoid}
.figures dt{font-size:13.5px;color:var(--soft);line-height:1.35}
.figures dd{margin:4px 0 0}
.figures b{display:block;font-size:30px;line-height:1.15;letter-spacing:-.02em;font-weight:680}
.figures span{display:block;font-size:13px;color:var(--soft);margin-top:4px;line-height:1.4}
dl.facts{margin:8px 0 18px;font-size:14px}
dl.facts div{display:grid;grid-template-columns:minmax(0,13em) minmax(0,1fr);gap:2px 18px;padding:5px 0;border-bottom:1px solid var(--edge)}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
.note{border-left:3px solid var(--idle);background:var(--idle-ground);padding:11px 16px;border-radius:0 8px 8px 0;margin:16px 0;max-width:52em;font-size:15px;white-space:pre-line}
.note.good{border-color:var(--good);background:var(--good-ground)}
.note.bad{border-color:var(--bad);background:var(--bad-ground)}
.badge{display:inline-block;font-size:12px;font-weight:700;letter-spacing:.035em;padding:2px 9px;border-radius:99px;white-space:nowrap;color:var(--idle);background:var(--idle-ground)}
.good>.badge,.badge.good{color:var(--good);background:var(--good-ground)}
.bad>.badge,.badge.bad{color:var(--bad);background:var(--bad-ground)}
.good>.badge::before,.badge.good::before{content:"✓ "}
.bad>.badge::before,.badge.bad::before{content:"✗ "}
.gates{list-style:none;margin:18px 0;padding:0;background:var(--card);border:1px solid var(--edge);border-radius:10px}
.gate{display:grid;grid-template-columns:112px minmax(0,1fr) 150px 172px;gap:4px 16px;padding:11px 18px;align-items:start;break-inside:avoid}
.gate+.gate{border-top:1px solid var(--edge)}
.gate p{margin:0}
.gate .badge{justify-self:start;margin-top:2px}
.gate .why{font-size:13.5px;margin-top:2px}
.measure{grid-column:4;text-align:right;font-size:14.5px}
.measure b{font-weight:680}
.measure span{color:var(--soft);font-size:13px}
.measure .why{margin:0}
.strip{width:150px;height:22px;margin-top:2px;display:block}
.strip .track{stroke:var(--edge);stroke-width:2}
.strip .span{stroke:var(--idle);stroke-width:4;stroke-linecap:round;stroke-opacity:.55}
.strip .limit{stroke:var(--ink);stroke-width:1.5}
.strip .spot{fill:var(--idle)}
.good .strip .spot{fill:var(--good)}
.good .strip .span{stroke:var(--good)}
.bad .strip .spot{fill:var(--bad)}
.bad .strip .span{stroke:var(--bad)}
pre{font:13.5px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;margin:0;overflow-x:auto}
.code{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:12px 16px;margin:10px 0 18px}
.transcript{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:14px 18px 12px;margin:16px 0;break-inside:avoid}
.transcript .bar-top{margin:0}
.transcript pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:10px 0 10px;padding:2px 0 2px 14px;border-left:3px solid var(--edge);line-height:1.75}
.k-prompt{color:var(--soft)}
.k-attempt{border-bottom:1.5px dotted var(--soft)}
.k-true,.k-false,.k-turn,.k-giveup{border-radius:4px;padding:1px 4px;font-weight:600;box-decoration-break:clone;-webkit-box-decoration-break:clone}
.k-true{color:var(--good);background:var(--good-ground)}
.k-true::after{content:" ✓"}
.k-false{color:var(--bad);background:var(--bad-ground);}
pre .k-false::after{content:" ✗ false"}
.key .k-false::after{content:" ✗"}
.k-turn{color:var(--turn);background:var(--turn-ground)}
.k-turn::before{content:"↩ "}
.k-giveup{color:var(--idle);background:var(--idle-ground)}
.k-answer{font-weight:700;border-bottom:2px solid var(--ink)}
.key{margin:0;font-size:12.5px;color:var(--soft);display:flex;flex-wrap:wrap;gap:4px 14px}
footer{margin-top:56px;padding-top:16px;border-top:1px solid var(--edge);font-size:13.5px;color:var(--soft)}
@media (max-width:760px){
body{padding:0 14px 48px;font-size:15.5px}
header{padding-top:30px}
h2{margin-top:42px}
.charts{grid-template-columns:minmax(0,1fr);gap:14px}
.figure{padding:13px 12px 10px}
.wide .chart.narrow{display:block}
.wide .chart.broad{display:none}
.gate{grid-template-columns:minmax(0,1fr) 150px;padding:13px 14px;gap:7px}
.gate .claim{grid-row:2;grid-column:1/-1}
.gate .strip{grid-row:1;grid-column:2}
.measure{grid-row:3;grid-column:1/-1;text-align:left}
.measure p{display:inline-block;margin-right:14px}
.measure .why{margin-right:0}
.transcript{padding:13px 12px 10px}
dl.facts div{grid-template-columns:minmax(0,1fr)}
}
@media print{
html{background:none}
body{max-width:none;padding:0;font-size:11pt}
header{padding-top:0}
nav,.data{display:none}
.chart *{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
`
