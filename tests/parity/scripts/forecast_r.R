# Reference fits of R's forecast package on R's own data sets: Rscript forecast_r.R > ../fixtures/forecast-r.json
suppressMessages(library(forecast))
num <- function(x) paste0("[", paste(sprintf("%.10g", as.numeric(x)), collapse = ","), "]")
field <- function(name, json) sprintf('"%s":%s', name, json)
object <- function(...) paste0("{", paste(c(...), collapse = ","), "}")
series <- list(air = AirPassengers, deaths = USAccDeaths, nile = Nile, logair = log(AirPassengers))
ets_of <- function(y, model, damped) {
  fit <- ets(y, model = model, damped = damped)
  object(field("form", sprintf('"%s"', paste0(fit$components[1], fit$components[2], if (fit$components[4] == "TRUE") "d" else "", fit$components[3]))),
    field("loglik", sprintf("%.8f", fit$loglik)), field("aicc", sprintf("%.8f", fit$aicc)),
    field("alpha", sprintf("%.8f", fit$par["alpha"])), field("mean", num(forecast(fit, 6)$mean)))
}
arima_of <- function(y, order, seasonal) {
  fit <- Arima(y, order = order, seasonal = seasonal, include.mean = TRUE)
  object(field("order", num(c(order, seasonal))), field("loglik", sprintf("%.8f", fit$loglik)), field("aic", sprintf("%.8f", fit$aic)),
    field("coef", num(coef(fit))), field("mean", num(forecast(fit, 6)$mean)), field("sigma2", sprintf("%.10g", fit$sigma2 )),
    field("upper", num(forecast(fit, 6, level = 95)$upper)))
}
cat(object(
  field("tool", sprintf('"R %s, forecast %s"', getRversion(), packageVersion("forecast"))),
  field("series", object(mapply(function(n, y) field(n, object(field("season", frequency(y)), field("values", num(y)))), names(series), series))),
  field("ets", object(
    field("air", paste0("[", paste(ets_of(AirPassengers, "MAM", TRUE), ets_of(AirPassengers, "ANN", FALSE), ets_of(AirPassengers, "MNN", FALSE), sep = ","), "]")),
    field("deaths", paste0("[", paste(ets_of(USAccDeaths, "ANA", FALSE), ets_of(USAccDeaths, "MNM", FALSE), sep = ","), "]")),
    field("nile", paste0("[", paste(ets_of(Nile, "ANN", FALSE), ets_of(Nile, "AAN", TRUE), ets_of(Nile, "MNN", FALSE), sep = ","), "]")))),
  field("arima", object(
    field("logair", paste0("[", paste(arima_of(log(AirPassengers), c(0, 1, 1), c(0, 1, 1)), arima_of(log(AirPassengers), c(3, 1, 0), c(2, 0, 0)), sep = ","), "]")),
    field("nile", paste0("[", paste(arima_of(Nile, c(1, 0, 1), c(0, 0, 0)), arima_of(Nile, c(0, 1, 1), c(0, 0, 0)), sep = ","), "]")),
    field("deaths", paste0("[", arima_of(USAccDeaths, c(0, 1, 1), c(0, 1, 1)), "]")))),
  field("auto", object(mapply(function(n, y) field(n, sprintf('"%s"', as.character(auto.arima(y)))), c("logair", "nile", "deaths"), list(log(AirPassengers), Nile, USAccDeaths)))),
  field("theta", object(mapply(function(n, y) field(n, num(thetaf(y, 6)$mean)), names(series), series))),
  field("stl", object(field("seasonal", num(stl(log(AirPassengers), s.window = 11)$time.series[, 1])), field("trend", num(stl(log(AirPassengers), s.window = 11)$time.series[, 2])))),
  field("croston", num(croston(c(0, 0, 3, 0, 5, 0, 0, 0, 2, 0, 0, 4, 1, 0), 3)$mean)),
  field("ndiffs", object(mapply(function(n, y) field(n, ndiffs(y)), names(series), series)))
), "\n")
