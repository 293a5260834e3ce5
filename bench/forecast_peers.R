# Peer of bench/forecast-speed.mjs: Rscript forecast_peers.R FILE prints the CPU seconds that R's forecast takes for its series.
suppressMessages(library(forecast))
text <- readLines(commandArgs(TRUE)[1], warn = FALSE)
field <- function(name) as.numeric(sub(sprintf(".*\"%s\":([0-9]+).*", name), "\\1", text))
if (!grepl("\"model\":\"ets\"", text)) quit(status = 1)
rows <- strsplit(sub(".*\"series\":\\[\\[(.*)\\]\\].*", "\\1", text), "],[", fixed = TRUE)[[1]]
series <- lapply(strsplit(rows, ","), function(cells) ts(as.numeric(cells), frequency = field("season")))
horizon <- field("horizon")
before <- proc.time()
for (y in series) forecast(ets(y), h = horizon, level = c(80, 95))
used <- proc.time() - before
cat(used[1] + used[2], "\n")
